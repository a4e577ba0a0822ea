// How long OpenMP's threads wait for each other at a barrier.
#pragma once

namespace tyto::apps {

// Starts the command again with GOMP_SPINCOUNT set, and does not return; to be called before any work.
// libgomp, with which oneDNN waits, reads it as it is loaded, so that no later setenv counts. Returns where
// the user has set it or OMP_WAIT_POLICY, which the second start finds set, too, and where the program cannot
// be started again (without /proc, its file replaced): threads wait as libgomp's default has it then.
void limit_spinning(char** argv);

}  // namespace tyto::apps
