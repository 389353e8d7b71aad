package peers

import (
	"runtime"
	"syscall"
)

// quietly does work that takes all of a core, such as looking for a voice in a recording, on a thread that
// stands back for every other: handsets in this process have packets to send on time. It returns when it is done.
func quietly(work func()) {
	const nice = 15
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine, as nothing makes it quick again
		_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, nice)
		work()
	}()
	<-done
}
