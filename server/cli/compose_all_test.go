package cli

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// composeFile is what is looked at of all services.
type composeFile struct {
	Services map[string]struct {
		Image    string
		Profiles []string
		Build    struct {
			Dockerfile string `yaml:"dockerfile_inline"`
		}
		Healthcheck struct{ Test []string }
		DependsOn   any `yaml:"depends_on"`
		Volumes     []string
	}
	Volumes map[string]any
}

// pinned matches an image with a whole version, or the date of a release of Debian, and the digest of its content.
var pinned = regexp.MustCompile(`^[a-z]+:(\d+\.\d+(\.\d+)?-[a-z]+|bookworm-\d{8}-slim)@sha256:[0-9a-f]{64}$`)

// based matches the image that a stage of a Dockerfile begins with.
var based = regexp.MustCompile(`(?m)^FROM (\S+)`)

// builtBy matches the release of Go that builds a program.
var builtBy = regexp.MustCompile(`(?m)^ENV GOTOOLCHAIN=go(\d+\.\d+\.\d+)$`)

// readCompose reads docker-compose.yml.
func readCompose(t *testing.T) composeFile {
	t.Helper()
	text, err := os.ReadFile("../../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var c composeFile
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

// Every image, also those that are built on, is pinned by its digest, and is the same wherever it is used. Whatever is
// built from source is built by one release of Go, which .ci/vulnerabilities reads.
func TestComposeImages(t *testing.T) {
	digests, releases := map[string]string{}, map[string]bool{}
	for name, s := range readCompose(t).Services {
		images := []string{s.Image}
		if s.Image == "" {
			images = nil
			for _, from := range based.FindAllStringSubmatch(s.Build.Dockerfile, -1) {
				images = append(images, from[1])
			}
			release := builtBy.FindStringSubmatch(s.Build.Dockerfile)
			if release == nil {
				t.Fatalf("%s is built by whatever release of Go its image has", name)
			}
			releases[release[1]] = true
		}
		if len(images) == 0 {
			t.Errorf("%s has no image", name)
		}
		for _, image := range images {
			if !pinned.MatchString(image) {
				t.Errorf("the image %s of %s is not pinned by its version and digest", image, name)
			}
			tag, digest, _ := strings.Cut(image, "@")
			of, _, _ := strings.Cut(tag, ":")
			if digests[of] == "" {
				digests[of] = digest
			}
			if digests[of] != digest {
				t.Errorf("%s uses another image of %s than another service", name, of)
			}
		}
	}
	if len(releases) != 1 {
		t.Errorf("the programs are built by several releases of Go: %v", releases)
	}
	for _, of := range []string{"golang", "debian", "postgres", "haproxy"} {
		if digests[of] == "" {
			t.Errorf("no image of %s was found", of)
		}
	}
}

// Every service of docker-compose.yml is in one profile, of which .env makes the single server the default; what
// it is built from has a version, and its health is checked. The two servers of the cluster share no volume.
func TestComposeProfiles(t *testing.T) {
	c := readCompose(t)
	profiles, users := map[string][]string{}, map[string]string{}
	for name, s := range c.Services {
		if len(s.Profiles) != 1 || len(s.Healthcheck.Test) < 2 || s.Healthcheck.Test[0] != "CMD" {
			t.Errorf("%s has the profiles %v and the health check %v", name, s.Profiles, s.Healthcheck.Test)
			continue
		}
		profiles[s.Profiles[0]] = append(profiles[s.Profiles[0]], name)
		if strings.Contains(s.Build.Dockerfile, "@latest") {
			t.Errorf("%s is built from whatever is the latest", name)
		}
		for _, v := range s.Volumes {
			volume, _, _ := strings.Cut(v, ":")
			if _, is := c.Volumes[volume]; !is || users[volume] != "" {
				t.Errorf("the volume %s of %s is not listed, or is that of %s too", volume, name, users[volume])
			}
			users[volume] = name
		}
	}
	if len(profiles) != 2 || len(profiles["single"]) != 1 || len(profiles["cluster"]) != 5 {
		t.Errorf("the profiles are %v", profiles)
	}
	env, err := os.ReadFile("../../.env")
	if err != nil || !strings.Contains(string(env), "\nCOMPOSE_PROFILES=single\n") {
		t.Errorf(".env: %s %v", env, err)
	}
}
