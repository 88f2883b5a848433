package main

import (
	"bufio"
	"errors"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"sluice/print"
	"sluice/schema"
)

// outputFlags select how records are printed.
type outputFlags struct {
	Output     string   `short:"o" default:"auto" enum:"auto,raw,json,avrojson,avro,parquet,csv,tsv,table" placeholder:"O" help:"json (one object a line), avrojson, avro (container file), parquet (one file), csv, tsv, table, or raw (the original lines); auto is table on a terminal, json elsewhere."`
	OutputFile string   `type:"path" placeholder:"FILE" help:"Write records to this file instead of standard output."`
	CSVSafe    bool     `name:"csv-safe" help:"With --output csv, for spreadsheets: put an apostrophe before values that a spreadsheet would evaluate as a formula (= + - @)."`
	CSVCRLF    bool     `name:"csv-crlf" help:"With --output csv: end lines in CR LF, for Excel."`
	AvroCodec  string   `default:"zstandard" enum:"zstandard,deflate,null" placeholder:"CODEC" help:"With --output avro: zstandard, deflate (three times the CPU; for polars and Hadoop 2, which cannot read zstandard) or null."`
	Fields     []string `placeholder:"FIELD" help:"Fields to print, in this order: those of the format, host, file, stream, offset, logbody, parse_error."`
}

func (o outputFlags) check() error {
	if o.CSVSafe && o.Output != "csv" {
		return usage("--csv-safe requires --output csv")
	}
	if o.CSVCRLF && o.Output != "csv" {
		return usage("--csv-crlf requires --output csv")
	}
	return nil
}

// kind returns the output for w: --output with auto resolved, and the spreadsheet-safe variant of
// csv if --csv-safe is set.
func (o outputFlags) kind(w io.Writer) string {
	switch f, ok := w.(*os.File); {
	case o.Output == "csv" && o.CSVSafe:
		return print.CSVSafe
	case o.Output != "auto":
		return o.Output
	case ok && isTerminal(f):
		return "table"
	}
	return "json"
}

// open returns a printer of entries with these formats, which writes to --output-file or else to w.
// host is true if the host is printed first. live is true if output is flushed while more entries
// are expected.
func (o outputFlags) open(w io.Writer, host, live bool, formats ...[]schema.Field) (print.Printer, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.OutputFile == "" {
		return o.printer(w, host, live, formats)
	}
	if o.Output == "auto" {
		o.Output = "json"
	}
	file, err := os.Create(o.OutputFile)
	if err != nil {
		return nil, usage("--output-file: %w", err)
	}
	p, err := o.printer(file, host, live, formats)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return outputFile{p, file}, nil
}

func (o outputFlags) printer(w io.Writer, host, live bool, formats [][]schema.Field) (print.Printer, error) {
	if f, ok := w.(*os.File); ok && isTerminal(f) && (o.Output == "avro" || o.Output == parquetOutput) {
		return nil, usage("--output %s is binary and not for a terminal\nhint: add --output-file FILE, or send the output to a file or a pipe", o.Output)
	}
	if o.Output == parquetOutput {
		if err := o.checkParquet(); err != nil {
			return nil, err
		}
		return newParquetPrinter(w), nil
	}
	options := print.Options{Fields: o.Fields, Formats: formats, Host: host, Width: width(w), AllColumns: live, CRLF: o.CSVCRLF, Codec: o.AvroCodec}
	buffer := bufio.NewWriterSize(w, 256<<10)
	p, err := print.New(buffer, o.kind(w), options)
	if err != nil {
		return nil, usageError{err}
	}
	return bufferedPrinter{p, buffer}, nil
}

// bufferedPrinter writes its buffer when it is flushed or closed.
type bufferedPrinter struct {
	print.Printer
	buffer *bufio.Writer
}

func (b bufferedPrinter) Flush() error { return errors.Join(b.Printer.Flush(), b.buffer.Flush()) }

func (b bufferedPrinter) Close() error { return errors.Join(b.Printer.Close(), b.buffer.Flush()) }

// width returns the width of the terminal in characters. 0: w is not a terminal.
func width(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(size.Col)
}
