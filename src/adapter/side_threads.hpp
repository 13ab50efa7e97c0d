// SideThreads: where things are done on behalf of a client that may hang for as long as that client
// pleases. Dropping the last reference to somebody's file is such a thing: a socket that lingers,
// a file of FUSE or NFS.
//
// Threading: post() from any thread; tasks run on threads made for them, which end when nothing is
// left. Nobody waits for them, not even the destructor: a task owns what it needs.
//
// Invariants:
//  1. post() never blocks, and there are never more than `most` threads.
//  2. How much hangs is for the caller to bound.
//  3. What waits while no thread can be made is not lost: it waits for try_again(), or the next
//     post().
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace causeway::adapter {

class SideThreads {
public:
    explicit SideThreads(std::size_t most);

    // What `task` owns goes on its thread, too.
    void post(std::function<void()> task);

    // Something waits for a thread that could not be made.
    [[nodiscard]] bool stuck() const;
    // Makes one if so.
    void try_again();

private:
    void add_thread();
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace causeway::adapter
