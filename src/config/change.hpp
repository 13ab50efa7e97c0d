// What differs between two configurations, for whoever brings a running adapter from one to the
// other and for those who want to know beforehand.
//
// Threading: plain values, pure.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"

namespace causeway::config {

struct Change {
    enum class Kind {
        partition_added,
        partition_removed,
        identity_changed,  // uid, gid or token file
        quota_changed,
        weight_changed,
        rules_changed,
        segment_added,
        segment_removed,
        segment_changed,
        unit_added,
        unit_removed,
        unit_changed,
        needs_restart,  // a key of [adapter], which is read at the start only
    };
    std::string text;  // "partition 'orders': weight 100 becomes 200"
    Kind kind = Kind::rules_changed;
    // Of the partition, the segment, the unit, the rule or the adapter's key; empty: the quota of
    // partitions that come in by the open entrance, or all rules (a file where there was none).
    std::string name;
};
[[nodiscard]] std::string_view change_name(Change::Kind kind) noexcept;

// Rules are compared by what they allow: neither their order nor where they stand is a change.
[[nodiscard]] std::vector<Change> changes(const Config& before, const Config& after);

}  // namespace causeway::config
