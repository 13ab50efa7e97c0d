// What a configuration says, in the adapter's own terms.
//
// Threading: pure, but for check_process(), which reads the partition's token file.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "adapter/quota.hpp"
#include "base/result.hpp"
#include "config/config.hpp"
#include "platform/socket.hpp"

namespace causeway::adapter {

// `own`: what the adapter gives where the configuration says nothing.
[[nodiscard]] Quota usual_quota(const config::Config& config, const Quota& own);
[[nodiscard]] std::map<std::string, Terms> terms_of(const config::Config& config, const Quota& own);

// `given` (may be null), and with it the entrances of the command line: partitions of which the
// file says nothing.
[[nodiscard]] std::shared_ptr<const config::Config> with_entrances(
    std::shared_ptr<const config::Config> given, const std::vector<std::string>& entrances);

// In no particular order.
[[nodiscard]] std::vector<config::Segment> segments_of(const config::Config& config);

// May this process be that partition, by user, group and secret? A process of another namespace,
// whose uid or gid cannot be seen, never is where one is asked for. Errors: denied, naming the
// rule.
[[nodiscard]] Result<void> check_process(const config::Partition& partition,
                                         const platform::Credentials& peer,
                                         std::span<const std::uint8_t> secret);

}  // namespace causeway::adapter
