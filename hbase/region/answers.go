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

	mu   sync.Mutex
	said map[string]string
}

// note saves a server's result; nil: success.
func (a *answers) note(server string, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.said == nil {
		a.said = make(map[string]string)
	}
	a.said[server] = "it answers"
	if err != nil {
		a.said[server] = err.Error()
	}
}

// String lists every server with its result.
func (a *answers) String() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	text := make([]string, len(a.servers))
	for i, server := range a.servers {
		said, ok := a.said[server]
		if !ok {
			said = "not tried yet"
		}
		text[i] = said
		if !strings.HasPrefix(said, server+": ") {
			text[i] = fmt.Sprintf("%s: %s", server, said)
		}
	}
	return strings.Join(text, "; ")
}
