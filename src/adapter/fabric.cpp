#include "adapter/fabric.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "platform/clock.hpp"
#include "platform/limits.hpp"

namespace causeway::adapter {
namespace {

constexpr std::uint64_t kSpareFiles = 64;       // left for accepting, replying and reading /proc
constexpr std::uint64_t kSpareMappings = 1024;  // left for heap, stacks and libraries
constexpr std::uint64_t kLookPauseNs = 10'000'000;
constexpr std::uint32_t kMostMovers = 64;

}  // namespace

Fabric::Fabric(FabricOptions options, Log log, std::shared_ptr<Inbox> inbox,
               std::unique_ptr<Policy> policy, std::unique_ptr<Journal> journal, Hooks hooks)
    : options_(std::move(options)),
      log_(std::move(log)),
      inbox_(std::move(inbox)),
      policy_(std::move(policy)),
      audit_(log_),
      journal_(std::move(journal)),
      hooks_(std::move(hooks)),
      started_ns_(platform::monotonic_ns()),
      files_(platform::open_file_count().value_or(32)),
      mapping_budget_(options_.max_mappings),
      mover_load_(options_.movers, 0) {
    const std::uint64_t own = platform::mapping_count().value_or(256) + kSpareMappings;
    // Where the limit leaves next to nothing, regions may still have half of it.
    mapping_budget_ = std::max(options_.max_mappings / 2,
                               options_.max_mappings - std::min(own, options_.max_mappings));
}

Result<std::unique_ptr<Fabric>> Fabric::start(FabricOptions options, Log log,
                                              std::shared_ptr<Inbox> inbox,
                                              std::unique_ptr<Policy> policy,
                                              std::unique_ptr<Journal> journal, Hooks hooks) {
    // Queue pairs that come back are still their old movers'.
    const std::uint32_t movers = std::max(options.movers, journal->numbers().movers);
    options.movers = std::min(movers, kMostMovers);
    journal->numbers().movers = options.movers;
    std::unique_ptr<Fabric> fabric(new Fabric(std::move(options), std::move(log), std::move(inbox),
                                              std::move(policy), std::move(journal),
                                              std::move(hooks)));
    CW_TRY(fabric->start_movers());
    fabric->read_journal(fabric->started_ns_ + fabric->options_.resume_patience_ns);
    (void)fabric->withdraw_forbidden();
    CW_TRY(fabric->set_segments(fabric->options_.segments));
    return fabric;
}

Fabric::~Fabric() {
    // Where the adapter ends with partitions attached (its loop failed, or they did not leave in
    // time), one mover may still poke another.
    for (const auto& mover : movers_)
        mover->stop();
}

Result<void> Fabric::start_movers() {
    for (std::uint32_t i = 0; i < options_.movers; ++i) {
        MoverOptions mover;
        mover.index = i;
        if (!options_.mover_cores.empty())
            mover.core = static_cast<int>(options_.mover_cores[i % options_.mover_cores.size()]);
        mover.copies = options_.copies.plan;
        mover.on_slow_piece = [this, inbox = inbox_](std::uint32_t a, std::uint32_t b) {
            inbox->post([this, a, b] {
                look_for_holes(a);
                look_for_holes(b);
            });
        };
        mover.on_refused = [this, inbox = inbox_](std::uint32_t from, std::uint32_t to,
                                                  abi::Opcode opcode) {
            inbox->post([this, from, to, opcode] { note_refusal(from, to, opcode); });
        };
        CW_TRY_ASSIGN(auto started, Mover::start(std::move(mover)));
        movers_.push_back(std::move(started));
    }
    std::vector<Mover*> all;
    for (const auto& mover : movers_)
        all.push_back(mover.get());
    for (const auto& mover : movers_)
        mover->introduce(all);
    return {};
}

void Fabric::after_movers(std::function<void()> then) {
    // Every mover drops one reference between two of its turns; the last one calls back.
    const std::shared_ptr<void> last(
        nullptr, [inbox = inbox_, then = std::move(then)](void*) { inbox->post(then); });
    for (const auto& mover : movers_)
        mover->run([last] {});
}

CloseAside Fabric::close_aside_for(const Partition& partition) const {
    return [inbox = inbox_, close = hooks_.close_aside,
            entrance = partition.entrance](platform::UniqueFd fd) {
        auto shared = std::make_shared<platform::UniqueFd>(std::move(fd));
        inbox->post([close, entrance, shared] { close(entrance, std::move(*shared)); });
    };
}

void Fabric::offload(std::function<std::function<void()>()> work) {
    worker_.post([inbox = inbox_, work = std::move(work)] {
        inbox->post(work());
        return Worker::Progress::finished;
    });
}

Result<void> Fabric::take_files(Partition& partition, std::uint64_t count) {
    const std::uint64_t most = partition.terms.quota.max_files;
    if (partition.usage.files + count > most) {
        return fail(ErrorCode::limit_reached,
                    fmt::format("partition {} has the adapter hold {} descriptors and wants {} "
                                "more, of at most {}: deregister regions or close completion "
                                "queues",
                                partition.name, partition.usage.files, count, most));
    }
    if (files_ + count + kSpareFiles > options_.max_files) {
        return fail(ErrorCode::limit_reached,
                    fmt::format("the adapter has {} of {} descriptors open: try again when other "
                                "partitions have left, or raise its limit (ulimit -n)",
                                files_, options_.max_files));
    }
    partition.usage.files += count;
    files_ += count;
    return {};
}

void Fabric::give_files(Partition& partition, std::uint64_t count) noexcept {
    partition.usage.files -= count;
    files_ -= count;
}

void Fabric::hold_files(Partition& partition, std::uint64_t count) noexcept {
    partition.usage.files += count;
    files_ += count;
}

bool Fabric::files_short() const noexcept { return files_ + kSpareFiles > options_.max_files; }

Result<void> Fabric::take_mappings(std::uint64_t count) {
    if (mappings_ + count > mapping_budget_) {
        return fail(ErrorCode::limit_reached,
                    fmt::format("the adapter has {} of {} mappings for partitions in use and {} "
                                "more are wanted: raise vm.max_map_count ({}) and restart it",
                                mappings_, mapping_budget_, count, options_.max_mappings));
    }
    mappings_ += count;
    return {};
}

void Fabric::look_for_holes(std::uint32_t session) {
    Partition* partition = find(session);
    if (partition == nullptr)
        return;
    const std::uint64_t now = platform::monotonic_ns();
    std::uint64_t& last = looked_at_ns_[session];
    if (now - last < kLookPauseNs)
        return;
    last = now;
    std::vector<std::uint32_t> pierced;
    for (const auto& [handle, region] : partition->regions) {
        const auto& files = region->memory.files;
        if (std::all_of(files.begin(), files.end(), still_filled))
            continue;
        if (!region->granted) {
            hooks_.evict(session, fmt::format("memory of its region {} was taken away (a hole was "
                                              "punched into its file)",
                                              handle));
            return;
        }
        pierced.push_back(handle);
    }
    // Whoever was granted it can have done that: it costs the owner the region, not the session.
    for (const std::uint32_t handle : pierced) {
        log_event(
            log_, spdlog::level::warn, "region_pierced", {{"partition", partition->name}},
            fmt::format("{}: region {} was granted to a direct peer and memory of it was taken "
                        "away (a hole was punched into its file): it is deregistered",
                        partition->name, handle));
        remove_region(*partition, handle, [] {});
    }
}

}  // namespace causeway::adapter
