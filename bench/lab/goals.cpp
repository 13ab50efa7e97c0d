#include "lab/goals.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "lab/report.hpp"

namespace causeway::bench {
namespace {

using perf::Test;
using perf::Touch;
using Names = std::vector<std::string>;

constexpr std::uint64_t kKiB = 1 << 10;
constexpr std::uint64_t kMiB = 1 << 20;

enum class Bound { at_most, at_least };

// Figures of one regime, and the verdicts made of them.
class Judge {
public:
    Judge(const Results& results, Regime regime) : results_(results), regime_(regime) {}

    [[nodiscard]] std::optional<double> figure(const Names& who, Test test, std::uint64_t size,
                                               Touch touch, Waiting waiting = Waiting::spin) const {
        return best_of(results_, who, test, size, touch, regime_, waiting);
    }

    // `ours` against `theirs`: their quotient is held to `limit`.
    void ratio(const std::string& what, const std::string& against, Bound bound, double limit,
               std::optional<double> ours, std::optional<double> theirs) {
        Verdict verdict;
        verdict.what = what;
        verdict.goal = fmt::format("{} {:g}x {}", bound_text(bound), limit, against);
        if (ours.has_value() && theirs.has_value() && *theirs > 0) {
            verdict.found = *ours / *theirs;
            verdict.found_text =
                fmt::format("{:.2f}x ({:.4g} against {:.4g})", *verdict.found, *ours, *theirs);
        }
        finish(std::move(verdict), bound, limit);
    }
    // The least favourable of several sizes.
    struct Pair {
        std::uint64_t size;
        std::optional<double> ours;
        std::optional<double> theirs;
    };
    void worst_ratio(const std::string& what, const std::string& against, Bound bound, double limit,
                     const std::vector<Pair>& pairs) {
        Verdict verdict;
        verdict.what = what;
        verdict.goal = fmt::format("{} {:g}x {}", bound_text(bound), limit, against);
        std::size_t counted = 0;
        for (const Pair& pair : pairs) {
            if (!pair.ours.has_value() || !pair.theirs.has_value() || *pair.theirs <= 0)
                continue;
            ++counted;
            const double found = *pair.ours / *pair.theirs;
            const bool worse =
                !verdict.found.has_value() ||
                (bound == Bound::at_most ? found > *verdict.found : found < *verdict.found);
            if (!worse)
                continue;
            verdict.found = found;
            verdict.found_text = fmt::format("{:.2f}x at {} ({:.4g} against {:.4g})", found,
                                             size_text(pair.size), *pair.ours, *pair.theirs);
        }
        if (counted > 0)
            verdict.found_text += fmt::format(", the worst of {} sizes", counted);
        finish(std::move(verdict), bound, limit);
    }
    void value(const std::string& what, Bound bound, double limit, const char* unit,
               std::optional<double> ours) {
        Verdict verdict{what, fmt::format("{} {:g} {}", bound_text(bound), limit, unit), ours, "",
                        false};
        if (ours.has_value())
            verdict.found_text = fmt::format("{:.4g} {}", *ours, unit);
        finish(std::move(verdict), bound, limit);
    }

    [[nodiscard]] std::vector<Verdict> take() { return std::move(verdicts_); }

private:
    [[nodiscard]] static const char* bound_text(Bound bound) {
        return bound == Bound::at_most ? "at most" : "at least";
    }
    void finish(Verdict verdict, Bound bound, double limit) {
        if (verdict.found.has_value())
            verdict.met =
                bound == Bound::at_most ? *verdict.found <= limit : *verdict.found >= limit;
        else
            verdict.found_text = "not measured";
        verdicts_.push_back(std::move(verdict));
    }

    const Results& results_;
    const Regime regime_;
    std::vector<Verdict> verdicts_;
};

const Names kDirect{"causeway-direct-send"};
const Names kAdapter{"causeway-adapter-send"};
// By its own benchmark and by the driver of this laboratory, whichever is better.
const Names kUcxTag{"ucx-tag", "ucx-tag-tool"};
const Names kUcxTagTool{"ucx-tag-tool"};
const Names kFabric{"fabric", "fabric-tool"};
const Names kUnix{"unix", "unix-spin"};
const Names kUnixBlocking{"unix"};

// Peers whose receiver gets the message in memory of its own.
Names owning_peers(const Results& results) {
    Names names;
    for (const Contestant& each : results.contestants) {
        if (each.kind == Kind::peer && each.owns)
            names.push_back(each.id);
    }
    return names;
}

void judge_direct(Judge& judge, const Results& results, Regime regime) {
    const auto small = judge.figure(kDirect, Test::latency, 8, Touch::none);
    const perf::Summary bounce = results.bounce(regime);
    judge.ratio("direct, 8 B, one way (ns)", "the cache-line bounce", Bound::at_most, 1.6, small,
                bounce.runs > 0 ? std::optional(bounce.median) : std::nullopt);
    judge.ratio("direct, 8 B, one way (ns)", "UCX tag", Bound::at_most, 0.5, small,
                judge.figure(kUcxTag, Test::latency, 8, Touch::none));
    judge.ratio("direct, 8 B, one way (ns)", "libfabric shm", Bound::at_most, 0.25, small,
                judge.figure(kFabric, Test::latency, 8, Touch::none));
    judge.ratio("direct, 8 B, rate (M/s)", "UCX tag", Bound::at_least, 2,
                judge.figure(kDirect, Test::rate, 8, Touch::none),
                judge.figure(kUcxTag, Test::rate, 8, Touch::none));
    judge.ratio("direct, 4 KiB, nobody reads (GB/s)", "UCX tag", Bound::at_least, 1.4,
                judge.figure(kDirect, Test::bandwidth, 4 * kKiB, Touch::none),
                judge.figure(kUcxTag, Test::bandwidth, 4 * kKiB, Touch::none));
    const auto large = judge.figure(kDirect, Test::bandwidth, kMiB, Touch::none);
    judge.ratio("direct, 1 MiB, nobody reads (GB/s)", "the best copy on one core", Bound::at_least,
                0.85, large, judge.figure(copy_kernels(), Test::bandwidth, kMiB, Touch::none));
    judge.ratio("direct, 1 MiB, nobody reads (GB/s)", "UCX tag by ucx_perftest", Bound::at_least, 3,
                large, judge.figure(kUcxTagTool, Test::bandwidth, kMiB, Touch::none));
    std::vector<Judge::Pair> peers;
    std::vector<Judge::Pair> rings;
    const Names owning = owning_peers(results);
    for (const std::uint64_t size : sizes_of(results, Test::bandwidth, Waiting::spin)) {
        if (size < 4 * kKiB || size > 4 * kMiB)
            continue;
        const auto ours = judge.figure(kDirect, Test::bandwidth, size, Touch::read);
        peers.push_back({size, ours, judge.figure(owning, Test::bandwidth, size, Touch::read)});
        rings.push_back(
            {size, ours, judge.figure(ring_kernels(), Test::bandwidth, size, Touch::read)});
    }
    const char* const read = "direct, 4 KiB to 4 MiB, read (GB/s)";
    judge.worst_ratio(read, "the best peer whose receiver owns its buffer", Bound::at_least, 1.5,
                      peers);
    judge.worst_ratio(read, "the best hand-made ring", Bound::at_least, 0.85, rings);
    judge.ratio("direct, 64 MiB, nobody reads (GB/s)", "the best copy on one core", Bound::at_least,
                0.9, judge.figure(kDirect, Test::bandwidth, 64 * kMiB, Touch::none),
                judge.figure(copy_kernels(), Test::bandwidth, 64 * kMiB, Touch::none));
}

void judge_adapter(Judge& judge) {
    const auto small = judge.figure(kAdapter, Test::latency, 8, Touch::read);
    judge.value("adapter, 8 B, one way", Bound::at_most, 4000, "ns", small);
    judge.ratio("adapter, 8 B, one way (ns)", "a Unix socket, blocking", Bound::at_most, 0.2, small,
                judge.figure(kUnixBlocking, Test::latency, 8, Touch::read));
    judge.value("adapter, 8 B, rate", Bound::at_least, 5, "M/s",
                judge.figure(kAdapter, Test::rate, 8, Touch::none));
    const auto large = judge.figure(kAdapter, Test::bandwidth, kMiB, Touch::none);
    judge.ratio("adapter, 1 MiB, nobody reads (GB/s)", "memcpy on one core", Bound::at_least, 0.65,
                large, judge.figure({"limits-copy-cached"}, Test::bandwidth, kMiB, Touch::none));
    judge.ratio("adapter, 1 MiB, nobody reads (GB/s)", "UCX tag", Bound::at_least, 2, large,
                judge.figure(kUcxTag, Test::bandwidth, kMiB, Touch::none));
}

void judge_both(Judge& judge, const Results& results) {
    const std::pair<const Names*, double> sleepers[] = {{&kDirect, 1.1}, {&kAdapter, 1.5}};
    for (const auto& [who, limit] : sleepers)
        judge.ratio(who == &kDirect ? "direct, 8 B, receiver asleep (ns)"
                                    : "adapter, 8 B, receiver asleep (ns)",
                    "a Unix socket", Bound::at_most, limit,
                    judge.figure(*who, Test::latency, 8, Touch::read, Waiting::block),
                    judge.figure(kUnixBlocking, Test::latency, 8, Touch::read, Waiting::block));
    for (const auto& [who, title] : {std::pair(&kDirect, "direct"), {&kAdapter, "adapter"}}) {
        std::vector<Judge::Pair> latencies;
        std::vector<Judge::Pair> bandwidths;
        for (const std::uint64_t size : sizes_of(results, Test::latency, Waiting::spin))
            latencies.push_back({size, judge.figure(*who, Test::latency, size, Touch::read),
                                 judge.figure(kUnix, Test::latency, size, Touch::read)});
        for (const std::uint64_t size : sizes_of(results, Test::bandwidth, Waiting::spin))
            bandwidths.push_back({size, judge.figure(*who, Test::bandwidth, size, Touch::read),
                                  judge.figure(kUnix, Test::bandwidth, size, Touch::read)});
        judge.worst_ratio(std::string(title) + ", any size, one way (ns)", "a Unix socket",
                          Bound::at_most, 1, latencies);
        judge.worst_ratio(std::string(title) + ", any size, read (GB/s)", "a Unix socket",
                          Bound::at_least, 1, bandwidths);
    }
}

}  // namespace

std::vector<Verdict> judge(const Results& results, Regime regime) {
    Judge judge(results, regime);
    judge_direct(judge, results, regime);
    judge_adapter(judge);
    judge_both(judge, results);
    return judge.take();
}

}  // namespace causeway::bench
