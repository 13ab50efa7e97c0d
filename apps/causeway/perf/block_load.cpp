#include "perf/block_load.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "interrupt.hpp"
#include "platform/clock.hpp"

namespace causeway::perf {
namespace {

using io::block::Disk;

constexpr std::uint64_t kOpenNs = 5'000'000'000;
constexpr std::uint64_t kFlush = UINT64_MAX;  // as a request's number

[[nodiscard]] double cpu_seconds() noexcept {
    rusage usage{};
    (void)::getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

[[nodiscard]] bool is_random(Pattern pattern) noexcept {
    return pattern == Pattern::randread || pattern == Pattern::randwrite ||
           pattern == Pattern::randrw;
}

[[nodiscard]] bool only_reads(Pattern pattern) noexcept {
    return pattern == Pattern::read || pattern == Pattern::randread;
}

// xorshift64*: fast, and good enough to scatter requests.
class Scatter {
public:
    std::uint64_t operator()(std::uint64_t below) noexcept {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        const std::uint64_t value = (state_ * 0x2545f4914f6cdd1dULL) >> 32;
        return below <= UINT32_MAX ? value * below >> 32 : (state_ * 0x2545f4914f6cdd1dULL) % below;
    }

private:
    std::uint64_t state_ = 0x9e3779b97f4a7c15ULL;
};

class Load {
public:
    Load(Disk& disk, const BlockPlan& plan, std::byte* buffers, std::uint32_t handle,
         std::uint64_t blocks) noexcept
        : disk_(disk), plan_(plan), buffers_(buffers), handle_(handle), blocks_(blocks) {}

    [[nodiscard]] Result<void> run(BlockFigures& figures) {
        started_.resize(plan_.depth);
        reading_.resize(plan_.depth);
        for (std::uint32_t slot = 0; slot < plan_.depth; ++slot)
            CW_TRY(submit(slot));
        const std::uint64_t begun = platform::monotonic_ns();
        const std::uint64_t end = begun + static_cast<std::uint64_t>(plan_.seconds * 1e9);
        std::array<cw_disk_result, 64> results;
        std::uint32_t under_way = plan_.depth;
        now_ns_ = begun;
        while (under_way != 0) {
            CW_TRY_ASSIGN(const int count,
                          disk_.poll(results.data(), static_cast<int>(results.size()), UINT64_MAX));
            now_ns_ = platform::monotonic_ns();
            const bool more = now_ns_ < end && cli::interrupted() == 0;
            for (int i = 0; i < count; ++i) {
                const cw_disk_result& result = results[static_cast<std::size_t>(i)];
                take(result, figures);
                if (result.user == kFlush)
                    flushing_ = false;
                else if (more)
                    CW_TRY(submit(static_cast<std::uint32_t>(result.user)));
                else
                    --under_way;
            }
        }
        figures.seconds = static_cast<double>(now_ns_ - begun) / 1e9;
        return {};
    }

private:
    [[nodiscard]] Result<void> submit(std::uint32_t slot) {
        const bool reads = only_reads(plan_.pattern) ||
                           ((plan_.pattern == Pattern::rw || plan_.pattern == Pattern::randrw) &&
                            scatter_(100) < plan_.reads);
        const std::uint64_t block = is_random(plan_.pattern) ? scatter_(blocks_) : next_;
        next_ = next_ + 1 == blocks_ ? 0 : next_ + 1;
        cw_disk_request request{};
        request.operation = reads ? CW_DISK_OP_READ : CW_DISK_OP_WRITE;
        request.offset = plan_.offset + block * plan_.size;
        request.length = plan_.size;
        request.data = buffer(slot);
        request.handle = handle_;
        request.user = slot;
        reading_[slot] = reads ? 1 : 0;
        started_[slot] = now_ns_ != 0 ? now_ns_ : platform::monotonic_ns();
        CW_TRY(disk_.submit(request));
        if (!reads && plan_.fsync != 0 && ++written_ % plan_.fsync == 0 && !flushing_) {
            cw_disk_request flush{};
            flush.operation = CW_DISK_OP_FLUSH;
            flush.user = kFlush;
            CW_TRY(disk_.submit(flush));
            flushing_ = true;
        }
        return {};
    }

    void take(const cw_disk_result& result, BlockFigures& figures) {
        if (result.error != 0) {
            ++figures.errors;
            figures.first_error = figures.first_error != 0 ? figures.first_error : result.error;
        }
        if (result.user == kFlush) {
            ++figures.flushes;
            return;
        }
        const auto slot = static_cast<std::uint32_t>(result.user);
        figures.latency.add(now_ns_ - started_[slot]);
        ++(reading_[slot] != 0 ? figures.reads : figures.writes);
        if (plan_.touch && reading_[slot] != 0) {
            for (std::uint32_t at = 0; at < plan_.size; at += 64) {
                std::uint64_t word = 0;
                std::memcpy(&word, buffer(slot) + at, sizeof word);
                figures.sum += word;
            }
        }
    }

    [[nodiscard]] std::byte* buffer(std::uint32_t slot) const noexcept {
        return buffers_ + std::uint64_t{slot} * plan_.size;
    }

    Disk& disk_;
    const BlockPlan& plan_;
    std::byte* buffers_;
    std::uint32_t handle_;
    std::uint64_t blocks_;
    std::uint64_t next_ = 0;
    std::uint64_t written_ = 0;
    bool flushing_ = false;
    std::uint64_t now_ns_ = 0;
    std::vector<std::uint64_t> started_;
    std::vector<std::uint8_t> reading_;
    Scatter scatter_;
};

}  // namespace

Result<BlockFigures> run_block_load(const std::shared_ptr<client::Partition>& partition,
                                    const BlockPlan& plan) {
    io::block::DiskTerms terms = plan.disk;
    terms.depth = plan.depth + 1;  // and a flush
    terms.access = only_reads(plan.pattern) ? CW_DISK_READ : terms.access;
    CW_TRY_ASSIGN(const auto disk, Disk::open(partition, plan.target, terms, kOpenNs));
    const cw_disk_info info = disk->info();
    const std::uint64_t range = std::min(plan.range == 0 ? info.bytes : plan.range,
                                         plan.offset < info.bytes ? info.bytes - plan.offset : 0);
    if (plan.size > info.most || plan.size % info.block != 0 || plan.offset % info.block != 0 ||
        range < plan.size) {
        return fail_format(ErrorCode::invalid_argument,
                           "requests of %u bytes do not fit: the disk has %llu bytes in blocks of "
                           "%u, and takes %u at once",
                           plan.size, static_cast<unsigned long long>(info.bytes), info.block,
                           info.most);
    }
    const std::uint64_t bytes = std::uint64_t{plan.size} * plan.depth;
    CW_TRY_ASSIGN(auto memory, client::Region::allocate(
                                   partition, bytes,
                                   {.access = CW_ACCESS_REMOTE_READ | CW_ACCESS_REMOTE_WRITE |
                                              CW_ACCESS_EXPORTABLE}));
    // Not all zeros, so that nothing takes a short cut.
    for (std::uint64_t i = 0; i < bytes; i += 8) {
        const std::uint64_t word = i * 0x9e3779b97f4a7c15ULL;
        std::memcpy(memory.data() + i, &word, std::min<std::uint64_t>(8, bytes - i));
    }
    BlockFigures figures;
    figures.in_place = info.in_place != 0;
    const double cpu = cpu_seconds();
    Load load(*disk, plan, memory.data(), plan.unregistered ? 0 : memory.handle(),
              range / plan.size);
    CW_TRY(load.run(figures));
    figures.cpu_seconds = cpu_seconds() - cpu;
    return figures;
}

}  // namespace causeway::perf
