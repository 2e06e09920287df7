// Reads Kubernetes objects from its input, one JSON document after another, and prints a line for
// each: what kstatus makes of it as kubectl's and Argo CD's world uses it (sigs.k8s.io/cli-utils),
// and as Flux does (its own fork). An object that kstatus cannot read ends it.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	flux "github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	sigs "sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

func main() {
	if err := answer(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "kstatus:", err)
		os.Exit(1)
	}
}

func answer(in io.Reader, out io.Writer) error {
	objects := json.NewDecoder(in)
	for {
		var text json.RawMessage
		if err := objects.Decode(&text); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		var object unstructured.Unstructured
		if err := object.UnmarshalJSON(text); err != nil {
			return err
		}
		here, err := sigs.Compute(&object)
		if err != nil {
			return err
		}
		there, err := flux.Compute(&object)
		if err != nil {
			return err
		}
		fmt.Fprintln(out, here.Status, there.Status)
	}
}
