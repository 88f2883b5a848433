package httpdconf

import (
	"errors"
	"fmt"
)

// sections are the open sections of all files that are being read.
type sections struct{ open []section }

// within is the innermost section that is a context to httpd: "" or a name.
func (x *sections) within() string {
	for i := len(x.open) - 1; i >= 0; i-- {
		if !x.open[i].decided {
			return x.open[i].name
		}
	}
	return ""
}

// errContext is returned for a directive where httpd does not allow it.
var errContext = errors.New("not allowed here")

// serverLevel is an error in <Directory>, <If> and their like.
func (x *sections) serverLevel() error {
	if in := x.within(); in != "" && in != "virtualhost" {
		return fmt.Errorf("%w, inside <%s>; move it out to the server or virtual host", errContext, in)
	}
	return nil
}

// globalOnly is an error in every section, <VirtualHost> too.
func (x *sections) globalOnly() error {
	if in := x.within(); in != "" {
		return fmt.Errorf("%w, inside <%s>; move it to the top level", errContext, in)
	}
	return nil
}
