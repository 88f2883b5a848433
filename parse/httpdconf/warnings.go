package httpdconf

import "fmt"

// warnings are the first maxWarnings warnings about a configuration.
type warnings struct{ texts []string }

func (w *warnings) add(at place, format string, args ...any) {
	switch len(w.texts) {
	case maxWarnings:
	case maxWarnings - 1:
		w.texts = append(w.texts, fmt.Sprintf("more than %d warnings; the others are not shown", maxWarnings))
	default:
		w.texts = append(w.texts, at.String()+": "+fmt.Sprintf(format, args...))
	}
}
