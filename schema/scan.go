package schema

// Scan says which rows are wanted, and in what order. The zero Scan is every
// row in time order.
type Scan struct {
	// From <= time < To, nanoseconds since 1970; To <= 0 means no end. Rows
	// without a readable time have time 0.
	From, To int64
	// Streams, where not nil, are the only streams wanted.
	Streams []StreamID
	// Cells, where not nil, are the qualifiers of the only cells wanted; a table may
	// yield more.
	Cells []string
	// Filter, where not nil, may be used by a table to leave rows out early. A
	// table may also ignore it: whoever scans applies it again.
	Filter *Filter
	// Reverse is newest first.
	Reverse bool
	// Limit, where > 0, is how many rows are wanted. A table that ignores Filter
	// ignores Limit too when there is a filter.
	Limit int
}

// Op is what a Filter does.
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
	IsNull              // the field is null: "-", or not there
	EqualFold           // the field = Text, but for the case of ASCII letters
)

// Filter is an expression over a row's fields, as data, so that a table can
// push down what its servers understand. A comparison with a null field is false.
type Filter struct {
	Op    Op
	Args  []*Filter
	Field string
	Kind  Kind // how Field is compared: Num for Int and Time, Text otherwise
	Text  string
	Num   int64
}
