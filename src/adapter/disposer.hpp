// Disposer: closes descriptors that clients sent and nobody wants. Closing can block for as long as
// whoever serves the file pleases (FUSE, NFS), so it happens on threads that may hang.
//
// Threading: dispose() and pending() on the control thread.
//
// Invariants:
//  1. dispose() never blocks, and never makes more than kMostThreads threads.
//  2. What hangs there is bounded by its caller, who looks at pending() before taking more from the
//     same source.
#pragma once

#include <cstddef>
#include <memory>

#include "platform/fd.hpp"

namespace causeway::adapter {

class Disposer {
public:
    static constexpr std::size_t kMostThreads = 4;

    Disposer();
    ~Disposer();  // does not wait for closes that hang

    void dispose(platform::UniqueFd fd);
    // Descriptors not closed yet.
    [[nodiscard]] std::size_t pending() const;

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace causeway::adapter
