package main

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"sluice/query"
)

// This file parses values with a unit on the command line, in the
// environment and in the configuration file.

// popText returns a flag's value as text. YAML can contain numbers instead.
func popText(ctx *kong.DecodeContext, what string) (string, error) {
	token, err := ctx.Scan.PopValue(what)
	if err != nil {
		return "", err
	}
	if f, ok := token.Value.(float64); ok {
		return strconv.FormatFloat(f, 'f', -1, 64), nil
	}
	return strings.TrimSpace(fmt.Sprint(token.Value)), nil
}

// decodeDuration is kong's mapper for durations: those of Go's syntax, and days and weeks.
func decodeDuration(ctx *kong.DecodeContext, target reflect.Value) error {
	text, err := popText(ctx, "duration")
	if err != nil {
		return err
	}
	d, err := parseDuration(text)
	if err != nil {
		return err
	}
	target.Set(reflect.ValueOf(d))
	return nil
}

func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		d, err = query.ParseLast(text)
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("%q is not a duration: write a number and its unit, such as 90s, 15m, 2h, 1d or 1w", text)
	case d < 0:
		return 0, fmt.Errorf("%q: a duration cannot be negative", text)
	}
	return d, nil
}

// percent is a number of percent. A percent sign is optional.
type percent float64

// Decode implements kong.MapperValue.
func (p *percent) Decode(ctx *kong.DecodeContext) error {
	text, err := popText(ctx, "percentage")
	if err != nil {
		return err
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(text, "%")), 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) || n < 0 {
		return fmt.Errorf("%q is not a percentage: write a number from 0 on, such as 5 or 5%%", text)
	}
	*p = percent(n)
	return nil
}

// mebibytes is a size in MiB, rounded down. A number without a unit is in MiB.
type mebibytes int64

const maxMebibytes = math.MaxInt64 >> 20

// sizeUnits are the bytes of each unit, by suffix in upper case: K is KiB, KB is 1000 bytes.
var sizeUnits = map[string]float64{
	"": 1 << 20, "B": 1, "K": 1 << 10, "KIB": 1 << 10, "KB": 1e3, "M": 1 << 20, "MIB": 1 << 20, "MB": 1e6,
	"G": 1 << 30, "GIB": 1 << 30, "GB": 1e9, "T": 1 << 40, "TIB": 1 << 40, "TB": 1e12,
}

// Decode implements kong.MapperValue.
func (m *mebibytes) Decode(ctx *kong.DecodeContext) error {
	text, err := popText(ctx, "size")
	if err != nil {
		return err
	}
	digits := len(text) - len(strings.TrimLeft(text, "0123456789."))
	n, err := strconv.ParseFloat(text[:digits], 64)
	unit, known := sizeUnits[strings.ToUpper(strings.TrimSpace(text[digits:]))]
	size := n * unit / (1 << 20)
	switch {
	case err != nil || !known:
		return fmt.Errorf("%q is not a size: write a number of MiB, such as 100, or one with a unit, such as 100MiB, 10GB or 10GiB", text)
	case n > 0 && size < 1:
		return fmt.Errorf("%q is less than 1 MiB", text)
	case size > maxMebibytes:
		return fmt.Errorf("%q is too large", text)
	}
	*m = mebibytes(size)
	return nil
}

// bytes returns the size in bytes.
func (m mebibytes) bytes() int64 { return int64(m) << 20 }

// joinNegative joins a flag and a following value that begins with a minus and a digit (`--from
// -2h`) to --from=-2h, because kong parses such a value as a flag. No flag begins with a digit.
func joinNegative(args []string) []string {
	var joined []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return append(joined, args[i:]...)
		}
		if strings.HasPrefix(arg, "--") && !strings.Contains(arg, "=") && i+1 < len(args) && isNegative(args[i+1]) {
			i++
			arg += "=" + args[i]
		}
		joined = append(joined, arg)
	}
	return joined
}

func isNegative(arg string) bool { return len(arg) > 1 && arg[0] == '-' && arg[1]-'0' <= 9 }

// decodeString is kong's mapper for strings. It rejects values that YAML parses as another type,
// because their original text is lost: 01 is read as 1, and 2015-05-17 as a time in UTC.
func decodeString(ctx *kong.DecodeContext, target reflect.Value) error {
	token, err := ctx.Scan.PopValue("text")
	if err != nil {
		return err
	}
	text, ok := token.Value.(string)
	if !ok {
		return fmt.Errorf("the configuration file has a number, a date or a word of YAML's own here (%v): put it into quotes", token.Value)
	}
	target.SetString(text)
	return nil
}

// mappers returns the option that sets the mappers of this file.
func mappers() kong.Option {
	return kong.OptionFunc(func(k *kong.Kong) error {
		for _, o := range []kong.Option{
			kong.TypeMapper(reflect.TypeFor[time.Duration](), kong.MapperFunc(decodeDuration)),
			kong.KindMapper(reflect.String, kong.MapperFunc(decodeString)),
		} {
			if err := o.Apply(k); err != nil {
				return err
			}
		}
		return nil
	})
}
