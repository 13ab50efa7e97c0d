// Opening a descriptor in another network namespace, without going there oneself.
//
// Threading: forks. The child opens, sends the descriptor back and ends; it runs ordinary code, so
// this is for a program's beginning, before it has threads that hold locks. The caller's namespaces
// stay as they are. Ownership: the descriptor is the caller's.
#pragma once

#include <functional>
#include <string>

#include "base/result.hpp"
#include "platform/fd.hpp"

namespace causeway::io::network {

// `where` is a process (its number), a path (anything with a slash: /proc/77/ns/net), or a name as
// `ip netns` gives (a file in /run/netns); empty: here, without a child. Where this process may not
// enter a namespace that belongs to a user namespace of its own, as that of a sandbox that the same
// user started, the child enters that first.
//
// Errors: not_found (no such process, name or path), invalid_argument (it is none), denied, and
// whatever `open` fails with.
[[nodiscard]] Result<platform::UniqueFd> open_within(
    const std::string& where, const std::function<Result<platform::UniqueFd>()>& open);

}  // namespace causeway::io::network
