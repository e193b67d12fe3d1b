package browser

import (
	"bytes"
	"cmp"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
)

// mostShot is how large a picture of the manual may be, which is in the program.
const mostShot = 100_000

// The manual's pictures are of a server with the samples, taken anew with
//
//	MANUAL_SHOTS=1 go test -tags duckdb_arrow ./server/web/browser -run ManualsPictures
func TestTheManualsPicturesAreTaken(t *testing.T) {
	if os.Getenv("MANUAL_SHOTS") == "" {
		t.Skip("MANUAL_SHOTS is not set: the manual's pictures stay as they are")
	}
	s := demo(t)
	survey, cleaned := s.survey(t)
	var proposed struct{ Number int }
	s.ask(t, "POST", "/api/v1/datasets/"+survey+"/proposals", "application/json",
		fmt.Sprintf(`{"source":%q,"title":"Cleaned cities","description":"Typing errors of wave 3."}`, cleaned), &proposed)
	for _, shot := range []struct{ name, path, see string }{
		{"datasets", "/", "penguins"},
		{"data", "/datasets/my_dataset", "records, "},
		{"history", "/datasets/" + survey + "/history", "Wave 3"},
		{"commit", "/datasets/employees/commits/2", "What it changed"},
		{"compare", "/datasets/my_dataset/compare?from=1.0.0&to=1.0.1", "1–75 of 75"},
		{"trend", "/datasets/my_dataset/trend", "The numbers"},
		{"rollback", "/datasets/employees/commits/2/rollback", "block"},
		{"restore", "/datasets/my_dataset/restore?ref=1.0.0", "1.0.0"},
		{"merge", "/datasets/" + survey + "/merge?source=" + cleaned, "conflict"},
		{"proposal", fmt.Sprintf("/datasets/%s/proposals/%d", survey, proposed.Number), "Cleaned cities"},
		{"settings", "/datasets/my_dataset/settings", "Description"},
		{"sql", "/sql?sql=SELECT+category%2C+count(*)+AS+records%0AFROM+my_dataset%0AGROUP+BY+category%0AORDER+BY+records+DESC", "records"},
		{"admin", "/admin", "Administration"},
	} {
		b := visit(t, s, shot.path)
		b.size(1280, 760)
		b.see(shot.see)
		b.eval("new Promise((r) => setTimeout(r, 1500))", nil) // charts and what comes later
		b.picture(filepath.Join("..", "manual", shot.name+".png"))
	}
	b := visit(t, s, "/tour")
	b.size(1280, 760)
	b.click("button", "Start the tour")
	b.see("1 of 6")
	b.click("button", "Next")
	b.see("2 of 6")
	b.click("button", "Next")
	b.see("3 of 6")
	b.see("block")
	b.eval("new Promise((r) => setTimeout(r, 1500))", nil)
	b.picture(filepath.Join("..", "manual", "tour.png"))
}

// survey makes a dataset that grew by waves, and a fork of it that changed a record differently.
func (s *server) survey(t *testing.T) (dataset, fork string) {
	t.Helper()
	var made struct{ ID string }
	s.ask(t, "POST", "/api/v1/datasets", "application/json", `{"name":"survey","key":["id"],"description":"Answers by wave"}`, &made)
	dataset = made.ID
	say := func(of, mode, message, records string) {
		s.ask(t, "POST", "/api/v1/datasets/"+of+"/commits?mode="+mode+"&message="+message, "application/json", records, nil)
	}
	say(dataset, "append", "Wave+1", `[{"id":1,"city":"Oslo","score":0.4},{"id":2,"city":"Rom","score":0.7}]`)
	say(dataset, "append", "Wave+2", `[{"id":3,"city":"Nagpur","score":0.9}]`)
	s.ask(t, "POST", "/api/v1/datasets/"+dataset+"/forks", "application/json", `{"name":"survey cleaned"}`, &made)
	fork = made.ID
	say(fork, "upsert", "Cities+as+they+are+written", `[{"id":2,"city":"Rome"}]`)
	say(dataset, "append", "Wave+3", `[{"id":4,"city":"Lima","score":0.6},{"id":5,"city":"Osaka","score":0.8}]`)
	say(dataset, "upsert", "Names+in+Italian", `[{"id":2,"city":"Roma"}]`)
	say(fork, "upsert", "Scores+of+wave+2", `[{"id":3,"score":0.95}]`)
	return dataset, fork
}

// picture writes what is seen as a small PNG.
func (b *tab) picture(path string) {
	b.t.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	full, err := png.Decode(bytes.NewReader(text))
	if err != nil {
		b.t.Fatal(err)
	}
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&out, fewColours(full)); err != nil {
		b.t.Fatal(err)
	}
	if out.Len() > mostShot {
		b.t.Errorf("%s has %d bytes, more than %d", path, out.Len(), mostShot)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil { // #nosec G306 -- it is part of the sources
		b.t.Fatal(err)
	}
}

// fewColours returns an image with the 256 colours that it has most of: the others, at the edges of letters, become the
// nearest of them.
func fewColours(full image.Image) *image.Paletted {
	bounds := full.Bounds()
	counts := map[color.RGBA]int{}
	at := func(x, y int) color.RGBA {
		r, g, b, _ := full.At(x, y).RGBA()
		return color.RGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), 255} // #nosec G115 -- of 16 bits
	}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			counts[at(x, y)]++
		}
	}
	most := make([]color.RGBA, 0, len(counts))
	for c := range counts {
		most = append(most, c)
	}
	value := func(c color.RGBA) int { return int(c.R)<<16 | int(c.G)<<8 | int(c.B) }
	slices.SortFunc(most, func(a, b color.RGBA) int { return cmp.Or(counts[b]-counts[a], value(a)-value(b)) })
	palette := color.Palette{}
	for _, c := range most[:min(256, len(most))] {
		palette = append(palette, c)
	}
	out := image.NewPaletted(bounds, palette)
	nearest := map[color.RGBA]uint8{}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			c := at(x, y)
			i, isKnown := nearest[c]
			if !isKnown {
				i = uint8(palette.Index(c)) // #nosec G115 -- of 256
				nearest[c] = i
			}
			out.SetColorIndex(x, y, i)
		}
	}
	return out
}
