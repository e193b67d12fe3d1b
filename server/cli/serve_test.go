package cli

import "testing"

func TestSizesOfFlags(t *testing.T) {
	for text, want := range map[string]size{"0": 0, "500MB": 5e8, "1GiB": 1 << 30, "12": 12} {
		var s size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%s: %d, %v", text, s, err)
		}
	}
	for _, text := range []string{"", "abc", "-1", "1GX", "20EB", "9EB9"} {
		var s size
		want := `"` + text + `" is not a size; write it as 500MB, 2GB or 1GiB`
		if err := s.UnmarshalText([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%s: %d, %v", text, s, err)
		}
	}
}
