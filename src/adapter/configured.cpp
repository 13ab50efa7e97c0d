#include "adapter/configured.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <causeway/abi/control.hpp>
#include <utility>

#include "platform/files.hpp"

namespace causeway::adapter {
namespace {

Quota as_own(const config::Quota& given, const Quota& own) {
    Quota quota = own;
    if (given.max_bytes != 0)
        quota.max_bytes = given.max_bytes;
    quota.max_regions = given.max_regions;
    quota.max_queue_pairs = given.max_queue_pairs;
    quota.max_queue_bytes = given.max_queue_bytes;
    quota.max_completion_queues = given.max_completion_queues;
    quota.max_listeners = given.max_listeners;
    return quota;
}

Result<void> check_secret(const config::Partition& partition,
                          std::span<const std::uint8_t> secret) {
    auto read = platform::read_settings_file(partition.token_file, abi::kSecretSize + 2);
    if (!read) {  // whoever comes is denied, and the audit log says so
        return fail(ErrorCode::denied, fmt::format("rule 'partition {}': its token file on the "
                                                   "adapter's side cannot be read: {}",
                                                   partition.name, read.error().text));
    }
    std::string wanted = *std::move(read);
    while (!wanted.empty() && (wanted.back() == '\n' || wanted.back() == '\r'))
        wanted.pop_back();
    if (wanted.empty() || wanted.size() > abi::kSecretSize) {
        return fail(ErrorCode::denied,
                    fmt::format("rule 'partition {}': its token file on the adapter's side holds "
                                "{} bytes: put 1 to {} into it",
                                partition.name, wanted.size(), abi::kSecretSize));
    }
    wanted.resize(abi::kSecretSize, '\0');
    // All of it, whatever differs first.
    unsigned differs = 0;
    for (std::size_t i = 0; i < abi::kSecretSize; ++i)
        differs |= static_cast<unsigned>(static_cast<std::uint8_t>(wanted[i]) ^ secret[i]);
    if (differs != 0) {
        return fail(ErrorCode::denied,
                    fmt::format("rule 'partition {}': the token does not match: give its file with "
                                "CAUSEWAY_TOKEN_FILE",
                                partition.name));
    }
    return {};
}

}  // namespace

Quota usual_quota(const config::Config& config, const Quota& own) {
    return as_own(config.quota, own);
}

std::map<std::string, Terms> terms_of(const config::Config& config, const Quota& own) {
    std::map<std::string, Terms> terms;
    for (const auto& [name, partition] : config.partitions)
        terms[name] = {as_own(partition.quota, own), partition.weight};
    return terms;
}

std::shared_ptr<const config::Config> with_entrances(std::shared_ptr<const config::Config> given,
                                                     const std::vector<std::string>& entrances) {
    if (given != nullptr && entrances.empty())
        return given;
    auto config = std::make_shared<config::Config>(given != nullptr ? *given : config::Config());
    for (const std::string& name : entrances) {
        config::Partition partition;
        partition.name = name;
        partition.quota = config->quota;
        config->partitions.try_emplace(name, std::move(partition));
    }
    return config;
}

std::vector<config::Segment> segments_of(const config::Config& config) {
    std::vector<config::Segment> segments;
    for (const auto& [name, segment] : config.segments)
        segments.push_back(segment);
    return segments;
}

Result<void> check_process(const config::Partition& partition, const platform::Credentials& peer,
                           std::span<const std::uint8_t> secret) {
    const auto foreign = [&](unsigned id) { return peer.pid == 0 || id == platform::kOverflowId; };
    if (partition.uid && (foreign(peer.uid) || peer.uid != *partition.uid)) {
        return fail(ErrorCode::denied,
                    fmt::format("rule 'partition {}': it admits uid {} only, not uid {}",
                                partition.name, *partition.uid, peer.uid));
    }
    if (partition.gid && (foreign(peer.gid) || peer.gid != *partition.gid)) {
        return fail(ErrorCode::denied,
                    fmt::format("rule 'partition {}': it admits gid {} only, not gid {}",
                                partition.name, *partition.gid, peer.gid));
    }
    if (!partition.token_file.empty())
        return check_secret(partition, secret);
    return {};
}

}  // namespace causeway::adapter
