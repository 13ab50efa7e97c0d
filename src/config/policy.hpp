// Who may do what to whom by which executor, and why: the same words for the adapter that decides
// and for `causeway auth explain` that tells beforehand.
//
// Threading: plain values, pure.
#pragma once

#include <string>
#include <string_view>

#include "config/config.hpp"

namespace causeway::config {

// With a file: a name is a configured partition's, or, where the open entrance admits partitions,
// any. Everything that no rule allows is denied.
// Without one: every partition may connect to every other by adapter; direct depends on where the
// two came in, which is not known here, and so is denied under a condition.
struct Verdict {
    bool allowed = false;
    std::string rule;  // its name; "no rule" where none allows it
    // A sentence for whom it concerns: which rule, where it stands, or what is missing and what to
    // write into the file. In a denial the lines for the file stand behind it, each a line.
    std::string text;
    std::string remedy;     // these lines alone: TOML that would allow it; empty if allowed
    std::string condition;  // denied unless this holds; empty: whatever holds
};

// `service`: of connect. Empty: asks for every service, so a rule that names some does not allow
// it.
[[nodiscard]] Verdict decide(const Config& config, std::string_view from, std::string_view to,
                             Operation operation, Executor executor, std::string_view service = {});
// The operations that `from` may do to `to` by executor adapter, as bits; connect: to one service
// at least.
[[nodiscard]] std::uint8_t operations_allowed(const Config& config, std::string_view from,
                                              std::string_view to);

// May `partition` announce its service `name` as a controller of that type? By the unit of that
// name, which is the rule then ("unit PARTITION/NAME", also where its type is another).
[[nodiscard]] Verdict decide_unit(const Config& config, std::string_view partition,
                                  std::string_view name, UnitType type);

enum class SegmentAccess { none, read, write };
[[nodiscard]] SegmentAccess access_of(const Segment& segment, std::string_view partition);
// Does `name` match `pattern`, in which * stands for any characters, also none?
[[nodiscard]] bool matches(std::string_view pattern, std::string_view name) noexcept;

}  // namespace causeway::config
