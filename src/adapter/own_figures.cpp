#include "adapter/own_figures.hpp"

#include <utility>

#include "platform/clock.hpp"
#include "platform/limits.hpp"

namespace causeway::adapter {
namespace {

constexpr std::uint64_t kRest = 19;  // times as long as the look took

OwnFigures::Figures look_at_proc() {
    return {platform::open_file_count().value_or(0), platform::mapping_count().value_or(0),
            platform::own_memory().value_or(0)};
}

}  // namespace

OwnFigures::OwnFigures() : OwnFigures(platform::monotonic_ns, look_at_proc) {}

OwnFigures::OwnFigures(std::function<std::uint64_t()> clock, std::function<Figures()> look)
    : clock_(std::move(clock)), look_(std::move(look)) {}

OwnFigures::Figures OwnFigures::get() {
    const std::uint64_t before = clock_();
    if (before < next_ns_)
        return last_;
    last_ = look_();
    const std::uint64_t after = clock_();
    next_ns_ = after + kRest * (after - before);
    return last_;
}

}  // namespace causeway::adapter
