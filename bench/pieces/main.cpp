// What the engine makes of the copy kernels: RDMA Writes through a flow (translation, pieces, fault
// guard, choice of the kernel by CopyPace, completions) against every kernel in one straight copy
// on the same memory, between the same two cores, in turn.
//
//     bench_pieces [SECONDS] [LARGEST]      60, and 1024 (MiB); $CAUSEWAY_COPIES as everywhere
//
// Each sample stands between two probes of the distance between the cores, and is discarded if they
// differ by over 20%, or if a thread was interrupted. Figures are medians of one regime. Messages
// begin at 64 KiB: posting is the test support's, which takes its time.
#include <fmt/format.h>

#include <cstdlib>
#include <map>
#include <vector>

#include "calibrate/core_pair.hpp"
#include "calibrate/fit.hpp"
#include "platform/clock.hpp"
#include "platform/cpu.hpp"
#include "support/engine_world.hpp"
#include "text.hpp"

namespace {

using namespace causeway;             // NOLINT(google-build-using-namespace)
using namespace causeway::calibrate;  // NOLINT(google-build-using-namespace)

constexpr std::uint64_t kMiB = 1 << 20;

// A queue pair whose two regions are the memory of the core pair.
class Engine {
public:
    explicit Engine(const CorePair& cores)
        : source_(pair_.pa->add(test::GuardedArea::kPage)),
          target_(pair_.pb->add(test::GuardedArea::kPage)),
          target_bytes_(cores.target().data()) {
        lend(source_, cores.source());
        lend(target_, cores.target());
        pair_.context = {};
        pair_.context.copies = engine::find_copies().plan;
    }

    void copy(std::byte* to, const std::byte*, std::size_t length) {
        const auto at = static_cast<std::uint64_t>(to - target_bytes_);
        test::Post write{.opcode = abi::Opcode::write,
                         .segments = {source_.segment(at, length)},
                         .remote = target_.remote(at)};
        const auto completion = pair_.execute(write);
        if (!completion.has_value() ||
            completion->status != static_cast<std::uint8_t>(abi::Status::success)) {
            fmt::print(stderr, "bench_pieces: a Write of {} bytes failed\n", length);
            std::exit(1);
        }
    }

private:
    static void lend(test::TestRegion& region, std::span<std::byte> memory) {
        region.region.base = memory.data();
        region.region.length = memory.size();
    }

    test::TestPair pair_;
    test::TestRegion& source_;
    test::TestRegion& target_;
    std::byte* target_bytes_;
};

std::vector<Cell> cells_up_to(std::uint64_t largest) {
    std::vector<Cell> cells;
    for (const Touch touch : {Touch::read, Touch::none}) {
        for (std::uint64_t size = 64 << 10; size <= largest; size *= 4) {
            cells.push_back({size, size <= kMiB ? 4U : size < largest ? 2U : 1U, touch});
            if (size == 64 << 10)
                cells.push_back({size, 1024, touch});
        }
    }
    return cells;
}

void show(const Measured& measured) {
    using cli::Table;
    for (const Regime& regime : measured.regimes) {
        Table table({{"SIZE", Table::Align::right},
                     {"BUFFERS", Table::Align::right},
                     {"READS", Table::Align::left},
                     {"BEST KERNEL", Table::Align::left},
                     {"GB/s", Table::Align::right},
                     {"ENGINE", Table::Align::right},
                     {"SHARE", Table::Align::right}});
        for (std::size_t c = 0; c < measured.cells.size(); ++c) {
            if (!regime.complete(c))
                continue;
            std::size_t best = 0;
            const std::size_t kernels = measured.kernels.size() - 1;
            const auto rate = [&](std::size_t k) { return regime.figures[c][k]->rates.rate; };
            for (std::size_t k = 1; k < kernels; ++k)
                best = rate(k) > rate(best) ? k : best;
            table.add({cli::human_bytes(measured.cells[c].size),
                       std::to_string(measured.cells[c].buffers),
                       measured.cells[c].touch == Touch::read ? "all" : "-",
                       engine::name(measured.kernels[best]), fmt::format("{:.1f}", rate(best)),
                       fmt::format("{:.1f}", rate(kernels)),
                       fmt::format("{:.0f}%", rate(kernels) / rate(best) * 100)});
        }
        fmt::print("\ncore to core {:.0f} ns, {} samples\n{}", regime.bounce, regime.samples,
                   table.text(2));
    }
}

int run(double seconds, std::uint64_t largest) {
    const auto allowed = platform::allowed_cpus();
    if (allowed.size() < 2) {
        fmt::print(stderr, "bench_pieces: takes two cores\n");
        return 1;
    }
    const auto cores =
        CorePair::start(allowed[0], allowed[1], std::max(largest, std::uint64_t{128} * kMiB));
    if (!cores.has_value()) {
        fmt::print(stderr, "bench_pieces: {}\n", cores.error().text);
        return 1;
    }
    std::vector<engine::CopyKernel> kernels(engine::copy_kernels().begin(),
                                            engine::copy_kernels().end());
    kernels.push_back(engine::CopyKernel::cached);  // the engine's column
    const std::vector<Cell> cells = cells_up_to(largest);
    // A flow for each cell: what one learns is nothing to another.
    std::map<std::size_t, Engine> engines;
    std::vector<Sample> samples;
    std::size_t discarded = 0;
    const std::uint64_t end = platform::monotonic_ns() + static_cast<std::uint64_t>(seconds * 1e9);
    double before = (*cores)->bounce_ns();
    while (platform::monotonic_ns() < end) {
        for (std::size_t c = 0; c < cells.size() && platform::monotonic_ns() < end; ++c) {
            Engine& flow = engines.try_emplace(c, **cores).first->second;
            const std::uint64_t ns = cells[c].size >= 64 * kMiB ? 60'000'000 : 15'000'000;
            for (std::size_t k = 0; k < kernels.size(); ++k) {
                const CorePair::Copy by_engine = [&](std::byte* to, const std::byte* from,
                                                     std::size_t length) {
                    flow.copy(to, from, length);
                };
                const Taken taken = k + 1 == kernels.size()
                                        ? (*cores)->sample(cells[c], by_engine, ns)
                                        : (*cores)->sample(cells[c], kernels[k], ns);
                const double after = (*cores)->bounce_ns();
                const auto [least, most] = std::minmax(before, after);
                if (!taken.right) {
                    fmt::print(stderr, "bench_pieces: the data that came is wrong\n");
                    return 1;
                }
                if (most > kSameRegime * least || taken.disturbed)
                    ++discarded;
                else
                    samples.push_back({c, k, taken.rates, (before + after) / 2});
                before = after;
            }
        }
    }
    fmt::print("{}; {} samples, {} discarded\ncopies: {} ({})\n", platform::cpu_model(),
               samples.size(), discarded, engine::find_copies().plan.describe(),
               engine::find_copies().source);
    show(summarize(kernels, cells, samples));
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    const double seconds = argc > 1 ? std::atof(argv[1]) : 60;
    const std::uint64_t largest = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1024;
    return run(seconds > 0 ? seconds : 60, (largest > 0 ? largest : 1024) * kMiB);
}
