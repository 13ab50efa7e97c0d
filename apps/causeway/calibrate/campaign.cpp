#include "calibrate/campaign.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <optional>

#include "calibrate/core_pair.hpp"
#include "calibrate/fit.hpp"
#include "interrupt.hpp"
#include "platform/clock.hpp"
#include "platform/files.hpp"
#include "text.hpp"

namespace causeway::calibrate {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
constexpr std::uint64_t kLeastBytes = 128 * kMiB;
constexpr std::uint64_t kMostBytes = 512 * kMiB;
constexpr std::uint64_t kSmallestSize = 4096;
constexpr std::uint64_t kLargestSize = 64 * kMiB;
constexpr double kWantedPasses = 4;
constexpr double kLeastSampleNs = 2e6;
constexpr double kMostSampleNs = 40e6;
constexpr std::uint64_t kRedrawNs = 200'000'000;

// The largest cache of a core, as the kernel knows it: the C library's figure is wrong under some
// hypervisors.
std::uint64_t largest_cache(unsigned core) {
    std::uint64_t largest = 0;
    for (int index = 0; index < 8; ++index) {
        const auto text = platform::read_small_file(
            fmt::format("/sys/devices/system/cpu/cpu{}/cache/index{}/size", core, index).c_str());
        if (!text.has_value())
            break;
        const auto size = cli::parse_size(std::string_view(*text).substr(0, text->find('\n')));
        largest = std::max(largest, size.value_or(0));
    }
    return largest;
}

class ProgressLine {
public:
    explicit ProgressLine(bool show) : show_(show) {}
    void draw(double share, const Cell& cell, engine::CopyKernel kernel, const Campaign& campaign) {
        const std::uint64_t now = platform::monotonic_ns();
        if (!show_ || now - drawn_ < kRedrawNs)
            return;
        drawn_ = now;
        fmt::print(stderr, "\r{:3.0f}%  {} samples, {} discarded; {} x {}, {}, {}\033[K",
                   share * 100, campaign.samples.size(), campaign.other_regime + campaign.disturbed,
                   cli::human_bytes(cell.size), cell.buffers,
                   cell.touch == Touch::read ? "read" : "not read", engine::name(kernel));
        std::fflush(stderr);
    }
    void clear() {
        if (drawn_ != 0)
            fmt::print(stderr, "\r\033[K");
    }

private:
    bool show_;
    std::uint64_t drawn_ = 0;
};

}  // namespace

std::vector<Cell> all_cells(std::uint64_t bytes) {
    std::vector<Cell> cells;
    for (const Touch touch : {Touch::read, Touch::none}) {
        for (std::uint64_t size = kSmallestSize; size <= kLargestSize;
             size *= size < kMiB ? 4 : 2) {
            const std::uint64_t few = size <= kMiB ? 4 : 2;
            const std::uint64_t many = bytes / size;
            if (few <= many)
                cells.push_back({size, few, touch});
            if (many > 2 * few)
                cells.push_back({size, many, touch});
        }
    }
    return cells;
}

Result<Campaign> run_campaign(const CampaignOptions& options) {
    Campaign campaign;
    const std::uint64_t cache = largest_cache(options.sender);
    campaign.bytes = std::clamp(cache * 4, kLeastBytes, kMostBytes) / kLargestSize * kLargestSize;
    const auto kernels = engine::copy_kernels();
    campaign.kernels.assign(kernels.begin(), kernels.end());
    campaign.cells = all_cells(campaign.bytes);
    CW_TRY_ASSIGN(const auto pair,
                  CorePair::start(options.sender, options.receiver, campaign.bytes));

    const std::uint64_t start = platform::monotonic_ns();
    const double wanted_ns = options.seconds * 1e9;
    const auto sample_ns = static_cast<std::uint64_t>(
        std::clamp(wanted_ns * 0.8 / kWantedPasses /
                       static_cast<double>(campaign.cells.size() * campaign.kernels.size()),
                   kLeastSampleNs, kMostSampleNs));
    ProgressLine progress(options.show_progress);
    double before = pair->bounce_ns();
    const auto share_done = [&] {
        return static_cast<double>(platform::monotonic_ns() - start) / wanted_ns;
    };
    while (share_done() < 1 && cli::interrupted() == 0) {
        for (std::size_t c = 0; c < campaign.cells.size(); ++c) {
            for (std::size_t k = 0; k < campaign.kernels.size(); ++k) {
                const double share = share_done();
                if (share >= 1 || cli::interrupted() != 0)
                    break;
                progress.draw(share, campaign.cells[c], campaign.kernels[k], campaign);
                const Taken taken = pair->sample(campaign.cells[c], campaign.kernels[k], sample_ns);
                const double after = pair->bounce_ns();
                const auto [least, most] = std::minmax(before, after);
                campaign.wrong += taken.right ? 0 : 1;
                if (most > kSameRegime * least)
                    ++campaign.other_regime;
                else if (taken.disturbed)
                    ++campaign.disturbed;
                else
                    campaign.samples.push_back({c, k, taken.rates, (before + after) / 2});
                before = after;
            }
        }
    }
    progress.clear();
    return campaign;
}

}  // namespace causeway::calibrate
