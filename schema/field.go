package schema

import "fmt"

// Kind is the type of a field's values.
type Kind uint8

const (
	// Text is a string of bytes, unescaped. It need not be UTF-8.
	Text Kind = iota
	// Addr is an IP address, or a host name if Apache looks it up.
	Addr
	// Int is a signed 64-bit number.
	Int
	// Time is a moment, in nanoseconds since 1970-01-01T00:00:00Z.
	Time
)

var kindNames = [...]string{Text: "text", Addr: "addr", Int: "int", Time: "time"}

func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// Field is one typed column of a record.
type Field struct {
	// Name is the field's name: JSON key, qualifier, flag, Avro field.
	Name string
	Kind Kind
	// Directive is the directive of the value: "%{Referer}i". It is used in parse errors.
	Directive string
	// Derived fields repeat parts of other fields (the whole request line, the path's query). They
	// can be requested by name, and are not stored as cells.
	Derived bool
}

// Names that every record has, beside the fields of its format.
const (
	// HostField is the web host that wrote the line.
	HostField = "host"
	// LogbodyField is the line, byte for byte, without its newline.
	LogbodyField = "logbody"
	// ParseErrorField is the position and the reason of a line's mismatch with its format.
	ParseErrorField = "parse_error"
	// TimeField is the event time.
	TimeField = "time"
)
