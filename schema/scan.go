package schema

// Scan selects rows and their order. The zero Scan is every row in time order.
type Scan struct {
	// From <= time < To, nanoseconds since 1970; To <= 0 is no limit. Rows without a time have time
	// 0.
	From, To int64
	// Streams, if not nil, selects streams.
	Streams []StreamID
	// Cells, if not nil, selects cells by their qualifiers; a table may return more.
	Cells []string
	// Filter, if not nil, may be used by a table to exclude rows early. The caller must apply it
	// again.
	Filter *Filter
	// Reverse is newest first.
	Reverse bool
	// Limit, if > 0, is the maximum number of rows. A table that ignores Filter ignores Limit, too,
	// if there is a filter.
	Limit int
}

// Op is an operator of a Filter.
type Op uint8

const (
	And       Op = iota // every one of Args
	Or                  // one of Args
	Not                 // not Args[0]
	Equal               // field = Text, or = Num for numbers and times
	Less                // field < Num (or Text)
	LessEqual           // field <= Num (or Text)
	Prefix              // the field's bytes start with Text
	Contains            // the field's bytes contain Text
	Matches             // the field's bytes match Text, a regular expression (RE2)
	Within              // the address lies in Text, a CIDR block
	IsNull              // the field is null: "-", or missing
	EqualFold           // the field = Text, ignoring the case of ASCII letters
)

// Filter is an expression over a row's fields, as data, so that a table can push it down to
// servers. A comparison with a null field is false.
type Filter struct {
	Op    Op
	Args  []*Filter
	Field string
	Kind  Kind // how Field is compared: Num for Int and Time, Text otherwise
	Text  string
	Num   int64
}
