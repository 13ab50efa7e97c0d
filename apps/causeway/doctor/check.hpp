// Check: one thing that `causeway doctor` looked at, and what came of it.
//
// Threading: plain values.
//
// Invariants:
//  1. What warns or fails says what that costs, and names one command that mends
//     it. A note may leave both out.
//  2. An id is one word, and stays the same from release to release.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace causeway::doctor {

enum class Status : std::uint8_t {
    ok,
    note,     // works; worth knowing
    warning,  // works less well, or something near it does not work
    fail      // Causeway does not work here
};

struct Check {
    std::string id;
    Status status = Status::ok;
    std::string found;
    std::string costs;  // what does not work because of it
    std::string mend;   // one command
};

[[nodiscard]] constexpr std::string_view status_name(Status status) noexcept {
    switch (status) {
        case Status::ok:
            return "ok";
        case Status::note:
            return "note";
        case Status::warning:
            return "warning";
        case Status::fail:
            return "fail";
    }
    return "unknown";
}

[[nodiscard]] inline Check ok(std::string id, std::string found) {
    return {std::move(id), Status::ok, std::move(found), {}, {}};
}
[[nodiscard]] inline Check note(std::string id, std::string found, std::string costs = {},
                                std::string mend = {}) {
    return {std::move(id), Status::note, std::move(found), std::move(costs), std::move(mend)};
}
[[nodiscard]] inline Check warning(std::string id, std::string found, std::string costs,
                                   std::string mend) {
    return {std::move(id), Status::warning, std::move(found), std::move(costs), std::move(mend)};
}
[[nodiscard]] inline Check failure(std::string id, std::string found, std::string costs,
                                   std::string mend) {
    return {std::move(id), Status::fail, std::move(found), std::move(costs), std::move(mend)};
}

}  // namespace causeway::doctor
