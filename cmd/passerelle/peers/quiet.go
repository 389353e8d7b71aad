package peers

import (
	"os"
	"runtime"
	"syscall"
)

// quietly does work that takes all of a core, such as looking for a voice in a recording, on a thread that
// stands back meanwhile for every other: handsets in this process have packets to send on time. Only root can
// make a thread quick again, and one that ends takes along the processes that it has started (Pdeathsig): for
// others work is done as it comes.
func quietly(work func()) {
	if os.Geteuid() != 0 {
		work()
		return
	}
	const nice = 15
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, nice) // 0 is this thread
	defer func() { _ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, 0) }()
	work()
}
