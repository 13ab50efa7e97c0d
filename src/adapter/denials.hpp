// Denials: how often which rule denied whom something.
//
// Threading: control thread.
// Invariant: what clients can make it hold is bounded: past kMost pairs of partition and rule, and
// past kMostRules rules, denials are counted under no partition and the rule kOthers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

namespace causeway::adapter {

class Denials {
public:
    static constexpr std::size_t kMost = 1024;
    static constexpr std::size_t kMostRules = 128;
    static constexpr std::string_view kOthers = "(others)";

    // `partition`: whose wish it was; empty where it has no name.
    void count(std::string_view partition, std::string_view rule);

    // The rule of the denial that was counted last, once: what its error is logged with.
    [[nodiscard]] std::string take_last_rule() { return std::exchange(last_rule_, {}); }

    using Key = std::pair<std::string, std::string>;  // partition and rule
    [[nodiscard]] const std::map<Key, std::uint64_t>& counts() const noexcept { return counts_; }
    [[nodiscard]] const std::map<std::string, std::uint64_t, std::less<>>& by_rule()
        const noexcept {
        return by_rule_;
    }

private:
    std::string last_rule_;
    std::map<Key, std::uint64_t> counts_;
    std::map<std::string, std::uint64_t, std::less<>> by_rule_;
};

}  // namespace causeway::adapter
