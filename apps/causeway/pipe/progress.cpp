#include "pipe/progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "platform/clock.hpp"
#include "text.hpp"

namespace causeway::pipe {
namespace {

constexpr std::uint64_t kRedraw = 200'000'000;  // ns

}  // namespace

Progress::Progress(Show show) : show_(show) {}

void Progress::begin() {
    start_ = drawn_ = platform::monotonic_ns();
    sent_ = received_ = 0;
}

void Progress::tick() {
    if (show_ == Show::no)
        return;
    if (const std::uint64_t now = platform::monotonic_ns(); now - drawn_ >= kRedraw)
        draw(now);
}

void Progress::finish() {
    if (show_ == Show::no)
        return;
    draw(platform::monotonic_ns());
    fmt::print(stderr, "\n");
    line_open_ = false;
}

void Progress::draw(std::uint64_t now) {
    drawn_ = now;
    line_open_ = true;
    const double seconds = std::max(static_cast<double>(now - start_) / 1e9, 1e-9);
    const auto rate = static_cast<std::uint64_t>(static_cast<double>(sent_ + received_) / seconds);
    fmt::print(stderr, "\r{} sent, {} received in {:.1f} s, {}/s\033[K", cli::human_bytes(sent_),
               cli::human_bytes(received_), seconds, cli::human_bytes(rate));
}

}  // namespace causeway::pipe
