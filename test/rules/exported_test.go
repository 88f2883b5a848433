package rules

import (
	"go/ast"
	"go/token"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// unusedExports are exported names that only their own package uses, and why they are exported.
var unusedExports = map[string]string{
	"monitor.Columnar":    "one of the names of sinks, which are used elsewhere",
	"print.AvroDeflate":   "a value of Options.Codec",
	"print.AvroNull":      "a value of Options.Codec",
	"print.AvroZstandard": "a value of Options.Codec",
}

// implicitMethods are methods that the standard library or a library calls by an interface.
var implicitMethods = regexp.MustCompile(`^(Error|Unwrap|Is|As|String|Format|Len|Less|Swap|Push|Pop|Read|ReadAt|ReadFrom|Write|WriteTo|WriteString|Close|Seek|Stat|ReadDir|(Unm|M)arshal(JSON|Text)|Enabled|Handle|WithAttrs|WithGroup|LogValue|ServeHTTP|RoundTrip|Help|Run|Decode|Validate|Set\w*Deadline|LocalAddr|RemoteAddr|Network|Done|Err|Deadline|Value|Timeout|Temporary)$`)

// exports are the names of one package, and which of them other packages need.
type exports struct {
	at       map[string]string   // exported names and methods ("Type.Method") to their places
	mentions map[string][]string // a package-level name to the names in its type
	methods  map[string][]string // the names in a method's signature
	values   map[string][]string // a type to its constants
	needed   map[string]bool
}

// TestExportedNamesAreUsedElsewhere checks that each exported name is used by another package, or is
// in the declaration of a name that is. It sees the text only: any selection of a method's name
// counts as a use of it.
func TestExportedNamesAreUsedElsewhere(t *testing.T) {
	packages := map[string]*exports{}
	all := sources(t)
	for _, s := range all {
		if !s.test() && s.file.Name.Name != "main" {
			if packages[s.dir()] == nil {
				packages[s.dir()] = &exports{map[string]string{}, map[string][]string{}, map[string][]string{}, map[string][]string{}, map[string]bool{}}
			}
			packages[s.dir()].declare(s)
		}
	}
	selected := map[string]map[string]bool{} // names after a dot, to the directories of their files
	for _, s := range all {
		uses(s, packages, selected)
	}
	templates(t, selected)
	for qualified := range unusedExports {
		i := strings.LastIndex(qualified, "/") + 1
		pkg, name, _ := strings.Cut(qualified[i:], ".")
		if p := packages[qualified[:i]+pkg]; p == nil || p.at[name] == "" {
			t.Errorf("%s does not exist: remove it from the list", qualified)
		}
	}
	for dir, p := range packages {
		p.close(dir, selected)
		for name, place := range p.at {
			typ, method, isMethod := strings.Cut(name, ".")
			used := p.needed[name]
			if isMethod {
				used = implicitMethods.MatchString(method) || selectedElsewhere(selected[method], dir) || !ast.IsExported(typ)
			}
			switch _, excepted := unusedExports[dir+"."+name]; {
			case !used && !excepted:
				t.Errorf("%s: %s.%s is exported, and no other package uses it", place, dir, name)
			case used && excepted:
				t.Errorf("%s: %s.%s is used by other packages: remove it from the list", place, dir, name)
			}
		}
	}
}

// declare adds the package-level names of a file.
func (p *exports) declare(s *source) {
	add := func(id *ast.Ident, types ...ast.Node) {
		for _, n := range types {
			p.mentions[id.Name] = append(p.mentions[id.Name], identifiers(n)...)
		}
		if id.IsExported() {
			p.at[id.Name] = s.path + ":" + strconv.Itoa(s.lineOf(id.Pos()))
		}
	}
	for _, d := range s.file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				add(d.Name, d.Type)
			} else if d.Name.IsExported() {
				name := receiver(d.Recv.List[0].Type) + "." + d.Name.Name
				p.at[name], p.methods[name] = s.path+":"+strconv.Itoa(s.lineOf(d.Pos())), identifiers(d.Type)
			}
		case *ast.GenDecl:
			last := "" // the type of a constant without one is that of the constant before it
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					add(spec.Name, spec.Type)
				case *ast.ValueSpec:
					if spec.Type != nil {
						last = strings.Join(identifiers(spec.Type), "")
					} else if len(spec.Values) > 0 {
						last = ""
					}
					for _, id := range spec.Names {
						add(id)
						p.mentions[id.Name] = append(p.mentions[id.Name], identifiers(spec.Type)...)
						if d.Tok == token.CONST {
							p.values[last] = append(p.values[last], id.Name)
						}
					}
				}
			}
		}
	}
}

// need marks a name, the names in its declaration, and the constants of a type.
func (p *exports) need(name string) {
	mentions, declared := p.mentions[name], p.at[name] != "" || p.mentions[name] != nil
	if !declared || p.needed[name] && mentions == nil {
		return
	}
	p.needed[name] = true
	delete(p.mentions, name) // done
	for _, other := range append(mentions, p.values[name]...) {
		if other != name {
			p.need(other)
		}
	}
}

// close marks what the needed names mention: also in the signatures of their methods, which may need
// further types with methods.
func (p *exports) close(dir string, selected map[string]map[string]bool) {
	for _, name := range slices.Collect(maps.Keys(p.needed)) {
		p.need(name)
	}
	for before := -1; before != len(p.needed); {
		before = len(p.needed)
		for name, signature := range p.methods {
			typ, method, _ := strings.Cut(name, ".")
			if selectedElsewhere(selected[method], dir) && (p.needed[typ] || !ast.IsExported(typ)) {
				for _, mentioned := range signature {
					p.need(mentioned)
				}
			}
		}
	}
}

// identifiers returns the names of this package that a type may mention.
func identifiers(n ast.Node) (names []string) {
	if e, ok := n.(ast.Expr); !ok || e == nil {
		return nil
	}
	ast.Inspect(n, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			names = append(names, id.Name)
		}
		return true
	})
	return names
}

// uses records the names that a file uses of packages of this module, and those after any dot.
func uses(s *source, packages map[string]*exports, selected map[string]map[string]bool) {
	dir, external := s.dir(), strings.HasSuffix(s.file.Name.Name, "_test")
	if external {
		dir = "" // as if it were another package
	}
	imported := map[string]*exports{}
	for _, spec := range s.file.Imports {
		pkg := strings.TrimPrefix(strings.Trim(spec.Path.Value, `"`), module)
		name := path.Base(pkg)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		if p := packages[pkg]; p != nil && pkg != dir {
			imported[name] = p
		}
	}
	see := func(name string) {
		if selected[name] == nil {
			selected[name] = map[string]bool{}
		}
		selected[name][dir] = true
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			see(n.Sel.Name)
			if x, ok := n.X.(*ast.Ident); ok && imported[x.Name] != nil {
				imported[x.Name].needed[n.Sel.Name] = true
			}
		case *ast.InterfaceType: // its methods may be called of any type
			for _, m := range n.Methods.List {
				for _, id := range m.Names {
					selected[id.Name] = map[string]bool{"": true}
				}
			}
		}
		return true
	})
}

// templates records the names after a dot in HTML templates, which call methods by their names.
func templates(t *testing.T, selected map[string]map[string]bool) {
	for _, name := range files(t) {
		if path.Ext(name) != ".html" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\.([A-Z]\w*)`).FindAllSubmatch(text, -1) {
			selected[string(m[1])] = map[string]bool{"": true}
		}
	}
}

func selectedElsewhere(dirs map[string]bool, dir string) bool {
	return len(dirs) > 1 || len(dirs) == 1 && !dirs[dir]
}
