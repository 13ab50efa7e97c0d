// Supervisor: a process between this program and a sandbox, so that nothing of the sandbox outlives
// this program, however it ends.
//
// Bubblewrap's --die-with-parent takes effect only once the sandbox stands: if its first process is
// killed before, the second waits for ever for somebody who has gone. The supervisor is where such
// orphans are brought (PR_SET_CHILD_SUBREAPER), and ends them.
//
// Threading: in a process of its own, right after fork().
#pragma once

#include <sys/types.h>

namespace causeway::demo {

// In a fresh child of `parent`: returns in a further child, which is to become the sandbox's first
// process. The supervisor itself never returns: it exits with the status of that child (128 + N for
// signal N) once it has ended, or once `parent` has, or SIGTERM came; before that it kills and
// reaps all that is left below it.
void supervise(pid_t parent);

}  // namespace causeway::demo
