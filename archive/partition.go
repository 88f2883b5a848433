package archive

import "strings"

// Partition is a directory of the form NAME=VALUE, which Hive and Spark read as a column.
type Partition struct {
	Name string
	// Number is true if the value is digits only.
	Number bool
}

// Partitions returns the columns that the pattern's directories are. ok is false if a directory has
// no name, so that Hive and Spark can only read all of the tree.
func (p Pattern) Partitions() (columns []Partition, ok bool) {
	var text strings.Builder
	number := true
	end := func() bool {
		name, value, named := strings.Cut(text.String(), "=")
		if named = named && name != "" && !strings.Contains(name, variable); named {
			columns = append(columns, Partition{name, number && value != "" && strings.Trim(value, variable+"0123456789") == ""})
		}
		text.Reset()
		number = true
		return named
	}
	for _, s := range p.steps {
		switch {
		case s.time != nil:
			text.WriteString(variable)
			number = number && strings.IndexByte("YymdjHIMSs", s.letter) >= 0
		case s.host || s.label != "":
			text.WriteString(variable)
			number = false
		default:
			for i, part := range strings.Split(s.literal, "/") {
				if i > 0 && !end() {
					return nil, false
				}
				text.WriteString(part)
			}
		}
	}
	if !end() {
		return nil, false
	}
	return columns, true
}

// variable stands for what differs from directory to directory. No pattern has it: control
// characters are rejected.
const variable = "\x00"
