package cli

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// compose is the one service of docker-compose.yml.
type compose struct {
	Services struct {
		Rowback struct {
			Build struct {
				Dockerfile string `yaml:"dockerfile_inline"`
			}
			Command     []string
			Environment map[string]string
			Volumes     []string
			Healthcheck struct{ Test []string }
			MemLimit    string `yaml:"mem_limit"`
		}
	}
}

// No container engine is needed to find out whether docker-compose.yml works: its steps are carried out as plain commands
// in a fresh folder that stands for both images' roots, and the server that they start keeps its data on the volume from
// start to start. Linking the program would take minutes: see buildStep.
func TestComposeSteps(t *testing.T) {
	text, err := os.ReadFile("../../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var c compose
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	service := c.Services.Rowback
	root := t.TempDir()
	for line := range strings.Lines(service.Build.Dockerfile) {
		dockerStep(t, root, strings.TrimSpace(line))
	}
	_, mount, _ := strings.Cut(service.Volumes[0], ":")
	args := strings.ReplaceAll(strings.Join(service.Command, "\n"), "0.0.0.0:8000", "127.0.0.1:0")
	args = strings.ReplaceAll(args, mount, root+mount)
	for range 2 {
		cmd := exec.Command(filepath.Join(root, "usr/local/bin/rowback"), strings.Split(args, "\n")...)
		cmd.Dir = t.TempDir()
		cmd.Env = append(os.Environ(), "ROWBACK_TOKEN=ada:s3cret")
		p, err := start(cmd)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.Get(p.url + "/readyz")
		if err != nil || res.StatusCode != 200 {
			t.Errorf("%v %v", res, err)
		}
		healthy(t, root, service.Healthcheck.Test, p.url)
		if err := p.stop(); err != nil {
			t.Errorf("the server ended with %v\n%s", err, p.stderr.String())
		}
	}
	if _, err := os.Stat(filepath.Join(root, mount, "catalog.db")); err != nil {
		t.Error("the data are not on the volume:", err)
	}
	if _, ok := service.Environment["ROWBACK_TOKEN"]; !ok {
		t.Error("the server listens beyond this machine without a token")
	}
}

// healthy runs the health check as the engine would, against a server and against none.
func healthy(t *testing.T, root string, test []string, url string) {
	t.Helper()
	if len(test) < 2 || test[0] != "CMD" {
		t.Fatalf("the health check is %v", test)
	}
	args := append(test[2:], "--server")
	for server, want := range map[string]bool{url: true, "http://127.0.0.1:1": false} {
		cmd := exec.Command(filepath.Join(root, "usr/local/bin", test[1]), append(args, server)...)
		if out, err := cmd.CombinedOutput(); (err == nil) != want {
			t.Errorf("the health check of %s: %v\n%s", server, err, out)
		}
	}
}

// inRoot matches the absolute paths of a step.
var inRoot = regexp.MustCompile(`(^|\s)/`)

// cacheMount matches what a step keeps between builds.
var cacheMount = regexp.MustCompile(`--mount=type=cache\S+ `)

// dockerStep carries out one instruction of a Dockerfile, with root as the root directory.
func dockerStep(t *testing.T, root, line string) {
	instruction, rest, _ := strings.Cut(line, " ")
	rest = inRoot.ReplaceAllString(rest, "${1}"+root+"/")
	switch instruction {
	case "COPY":
		copyStep(t, root, strings.Fields(rest))
	case "RUN":
		rest = cacheMount.ReplaceAllString(rest, "")
		if !builds.MatchString(rest) {
			t.Fatalf("%s: the test knows no step like this one", line)
		}
		sh := exec.Command("sh", "-ec", "cd "+root+"/src && "+builds.ReplaceAllString(rest, "go build -n -tags $1 -o $2 $3"))
		if out, err := sh.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
		buildStep(t, root, builds.FindStringSubmatch(rest))
	// FROM and USER need an engine; WORKDIR is src; ENTRYPOINT is checked by name, ENV in TestComposeImages
	case "", "FROM", "WORKDIR", "USER", "ENTRYPOINT", "ENV":
	default:
		t.Fatalf("%s: the test does not know this step", line)
	}
}

// builds matches the command that builds the program: its tags, the file that it writes and the package.
var builds = regexp.MustCompile(`go build -tags (\S+) -o (\S+) (\S+)$`)

// buildStep stands for a build that "go build -n" has planned without a fault. The source that was copied must have every
// file that the repository's build of the package has: then it builds as the repository does, which other tests show. The
// program is that of this test.
func buildStep(t *testing.T, root string, build []string) {
	t.Helper()
	tags, to, pkg := build[1], build[2], build[3]
	here, there := sourceFiles(t, "../..", tags, pkg), sourceFiles(t, filepath.Join(root, "src"), tags, pkg)
	if here != there {
		t.Fatalf("the image is built from other files than the repository:\n%s\nthe repository has\n%s", there, here)
	}
	rowback, err := exec.LookPath("rowback")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(rowback, to); err != nil {
		t.Fatal(err)
	}
}

// sourceFiles lists the files of this module that a package is built from, in the copy of the module at dir.
func sourceFiles(t *testing.T, dir, tags, pkg string) string {
	t.Helper()
	list := `{{if and .Module .Module.Main}}{{.ImportPath}} {{.GoFiles}} {{.CgoFiles}} {{.EmbedFiles}}{{end}}`
	cmd := exec.Command("go", "list", "-deps", "-tags", tags, "-f", list, pkg)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %v", cmd, err)
	}
	return strings.Join(strings.Fields(string(out)), " ")
}

func copyStep(t *testing.T, root string, args []string) {
	var paths []string
	for _, a := range args {
		if !strings.HasPrefix(a, "--") {
			paths = append(paths, a)
		}
	}
	from, to := paths[0], paths[1]
	if from == "." {
		copySource(t, filepath.Join(root, "src"))
		return
	}
	if from == to {
		return
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(from, to); err != nil {
		t.Fatal(err)
	}
}

// copySource copies this module, except for what .dockerignore leaves out.
func copySource(t *testing.T, to string) {
	entries, err := os.ReadDir("../..")
	if err != nil {
		t.Fatal(err)
	}
	ignored, err := os.ReadFile("../../.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.Contains("\n"+string(ignored), "\n"+e.Name()+"\n") || !e.IsDir() && !strings.HasPrefix(e.Name(), "go.") {
			continue
		}
		if !e.IsDir() {
			text, err := os.ReadFile(filepath.Join("../..", e.Name()))
			if err == nil {
				err = os.WriteFile(filepath.Join(to, e.Name()), text, 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.CopyFS(filepath.Join(to, e.Name()), os.DirFS(filepath.Join("../..", e.Name()))); err != nil {
			t.Fatal(err)
		}
	}
}
