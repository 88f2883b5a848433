package region

import (
	"fmt"
	"strings"
	"sync"
)

// answers are the last results of several servers, for an error that names all of them. It is safe
// for concurrent use.
type answers struct {
	servers []string // in the order of the user's URL

	mu      sync.Mutex
	results map[string]string
}

// note saves a server's result; nil: success.
func (a *answers) note(server string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.results == nil {
		a.results = make(map[string]string)
	}
	a.results[server] = "it answers"
	if err != nil {
		a.results[server] = err.Error()
	}
}

// String lists every server with its result.
func (a *answers) String() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	text := make([]string, len(a.servers))
	for i, server := range a.servers {
		result, ok := a.results[server]
		if !ok {
			result = "not tried yet"
		}
		text[i] = result
		if !strings.HasPrefix(result, server+": ") {
			text[i] = fmt.Sprintf("%s: %s", server, result)
		}
	}
	return strings.Join(text, "; ")
}
