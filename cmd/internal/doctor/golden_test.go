package doctor

import (
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

func writeGolden(t *testing.T, path string, comment []byte, found map[string]string) {
	t.Helper()
	archive := &txtar.Archive{Comment: comment}
	for _, rule := range slices.Sorted(maps.Keys(found)) {
		archive.Files = append(archive.Files, txtar.File{Name: rule, Data: []byte(found[rule])})
	}
	if err := os.WriteFile(path, txtar.Format(archive), 0o644); err != nil {
		t.Fatal(err)
	}
}
