#include "calibrate/core_pair.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <limits>
#include <span>
#include <thread>

#include "perf/payload.hpp"
#include "platform/clock.hpp"
#include "platform/cpu.hpp"
#include "platform/mapping.hpp"
#include "platform/memfd.hpp"

namespace causeway::calibrate {
namespace {

constexpr std::uint32_t kBounces = 500;  // of one stretch
constexpr int kStretches = 3;            // the quickest counts: the others were disturbed
constexpr std::uint64_t kWindow = 4;     // messages that the receiver may be behind
constexpr std::size_t kCompared = 4096;  // bytes at either end of a buffer
constexpr std::uint64_t kLeastMessages = 2;

enum Job : int { quit, bounce, copy_sample };

// Times at which the calling thread had to make room for another one.
long interruptions() {
    rusage usage{};
    ::getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nivcsw;
}

Result<platform::Mapping> filled_memory(std::uint64_t bytes, std::uint64_t seed) {
    CW_TRY_ASSIGN(const auto file,
                  platform::create_memfd("causeway-calibrate", bytes, platform::kSizeSeals));
    CW_TRY_ASSIGN(auto memory, platform::Mapping::map(file.get(), bytes));
    CW_TRY(memory.populate_write(0, bytes));
    perf::fill_noise({memory.data(), bytes}, seed, 0);
    return memory;
}

}  // namespace

// What one side writes and the other reads has a line of its own. SYNC(calibrate): every release
// store here pairs with the acquire load of the same variable on the other thread; it orders what
// was written before it, the sample's description and the message's bytes.
struct CorePair::Shared {
    alignas(128) std::atomic<std::uint32_t> ball{0};
    alignas(128) std::atomic<std::uint64_t> begun{0};  // jobs
    alignas(128) std::atomic<std::uint64_t> ended{0};
    alignas(128) std::atomic<std::uint64_t> sent{0};  // messages of this sample
    alignas(128) std::atomic<std::uint64_t> taken{0};
    alignas(128) std::atomic<std::uint64_t> last{0};  // messages in all, once that is known

    // The job: written by the sender before `begun`.
    Job job = quit;
    Cell cell;
    std::uint64_t first = 0;  // buffer of the first message

    // Of the receiver, before `ended`.
    bool disturbed = false;
    std::uint64_t sum = 0;

    platform::Mapping source;
    platform::Mapping target;
    std::uint64_t cursor = 0;  // bytes sent so far: where the next sample goes on
    Result<void> pinned;
    unsigned receiver = 0;
    std::thread thread;

    [[nodiscard]] std::span<std::byte> buffer(std::uint64_t message) const {
        const std::uint64_t at = (first + message) % cell.buffers * cell.size;
        return {target.data() + at, cell.size};
    }
};

CorePair::CorePair() : shared_(std::make_unique<Shared>()) {}

CorePair::~CorePair() {
    if (shared_->thread.joinable()) {
        begin(quit);
        shared_->thread.join();
    }
}

Result<std::unique_ptr<CorePair>> CorePair::start(unsigned sender, unsigned receiver,
                                                  std::uint64_t bytes) {
    std::unique_ptr<CorePair> pair(new CorePair);
    CW_TRY(pair->set_up(sender, receiver, bytes));
    return pair;
}

Result<void> CorePair::set_up(unsigned sender, unsigned receiver, std::uint64_t bytes) {
    if (sender == receiver)
        return fail_format(ErrorCode::invalid_argument,
                           "sender and receiver need a core each, not both core %u", sender);
    platform::calibrate_ticks();
    CW_TRY_ASSIGN(shared_->source, filled_memory(bytes, 1));
    CW_TRY_ASSIGN(shared_->target, filled_memory(bytes, 2));
    shared_->receiver = receiver;
    // Before the sender is bound: a thread begins where its maker may run.
    shared_->thread = std::thread([this] { serve(); });
    begin(bounce);
    shared_->ball.store(2 * kBounces, std::memory_order_release);  // nobody bounces yet
    await_end();
    CW_TRY(shared_->pinned);
    return platform::pin_thread(sender);
}

void CorePair::begin(int job) {
    shared_->job = static_cast<Job>(job);
    shared_->begun.fetch_add(1, std::memory_order_release);
}

void CorePair::await_end() {
    while (shared_->ended.load(std::memory_order_acquire) !=
           shared_->begun.load(std::memory_order_relaxed))
        platform::cpu_relax();
}

void CorePair::serve() {
    Shared& shared = *shared_;
    shared.pinned = platform::pin_thread(shared.receiver);
    for (std::uint64_t served = 0;; ++served) {
        while (shared.begun.load(std::memory_order_acquire) == served)
            platform::cpu_relax();
        if (shared.job == quit)
            return;
        if (shared.job == bounce)
            serve_bounce();
        else
            serve_sample();
        shared.ended.store(served + 1, std::memory_order_release);
    }
}

void CorePair::serve_bounce() {
    std::atomic<std::uint32_t>& ball = shared_->ball;
    for (std::uint32_t turn = 1; turn < 2 * kBounces; turn += 2) {
        std::uint32_t now = ball.load(std::memory_order_acquire);
        while (now < turn) {
            platform::cpu_relax();
            now = ball.load(std::memory_order_acquire);
        }
        if (now >= 2 * kBounces)
            return;
        ball.store(turn + 1, std::memory_order_release);
    }
}

void CorePair::serve_sample() {
    Shared& shared = *shared_;
    const long before = interruptions();
    std::uint64_t sum = 0;
    for (std::uint64_t message = 0;; ++message) {
        while (shared.sent.load(std::memory_order_acquire) == message) {
            if (shared.last.load(std::memory_order_acquire) == message) {
                shared.sum = sum;
                shared.disturbed = interruptions() != before;
                return;
            }
            platform::cpu_relax();
        }
        if (shared.cell.touch == Touch::read)
            sum += perf::read_all(shared.buffer(message));
        shared.taken.store(message + 1, std::memory_order_release);
    }
}

double CorePair::bounce_ns() {
    std::atomic<std::uint32_t>& ball = shared_->ball;
    double best = std::numeric_limits<double>::max();
    for (int stretch = 0; stretch < kStretches; ++stretch) {
        ball.store(0, std::memory_order_release);
        begin(bounce);
        const std::uint64_t start = platform::monotonic_ns();
        for (std::uint32_t turn = 0; turn < 2 * kBounces; turn += 2) {
            while (ball.load(std::memory_order_acquire) != turn)
                platform::cpu_relax();
            if (turn + 2 < 2 * kBounces)
                ball.store(turn + 1, std::memory_order_release);
        }
        const std::uint64_t elapsed = platform::monotonic_ns() - start;
        ball.store(2 * kBounces, std::memory_order_release);
        await_end();
        best = std::min(best, static_cast<double>(elapsed) / (2.0 * (kBounces - 1)));
    }
    return best;
}

std::span<std::byte> CorePair::source() const noexcept {
    return {shared_->source.data(), shared_->source.size()};
}

std::span<std::byte> CorePair::target() const noexcept {
    return {shared_->target.data(), shared_->target.size()};
}

Taken CorePair::sample(const Cell& cell, engine::CopyKernel kernel, std::uint64_t ns) {
    return sample(
        cell,
        [kernel](std::byte* to, const std::byte* from, std::size_t length) {
            engine::copy(to, from, length, kernel);
        },
        ns);
}

Taken CorePair::sample(const Cell& cell, const Copy& copy, std::uint64_t ns) {
    Shared& shared = *shared_;
    shared.cell = cell;
    shared.first = shared.cursor / cell.size;
    shared.sent.store(0, std::memory_order_relaxed);
    shared.taken.store(0, std::memory_order_relaxed);
    shared.last.store(std::numeric_limits<std::uint64_t>::max(), std::memory_order_relaxed);
    const std::uint64_t window = std::min(kWindow, cell.buffers);
    const long before = interruptions();
    begin(copy_sample);

    const std::uint64_t wanted = platform::ns_to_ticks(ns);
    std::uint64_t start = platform::ticks();
    std::uint64_t copying = 0;  // ticks
    std::uint64_t message = 0;
    std::uint64_t counted_from = 0;  // 0: still warming up
    for (;;) {
        while (message - shared.taken.load(std::memory_order_acquire) >= window)
            platform::cpu_relax();
        const std::span<std::byte> to = shared.buffer(message);
        const std::byte* const from = shared.source.data() + (to.data() - shared.target.data());
        const std::uint64_t copy_start = platform::ticks();
        copy(to.data(), from, to.size());
        const std::uint64_t now = platform::ticks();
        copying += now - copy_start;
        shared.sent.store(++message, std::memory_order_release);
        if (counted_from == 0) {
            if (message >= 1 && (message >= cell.buffers || now - start > wanted / 3)) {
                counted_from = message;
                start = platform::ticks();
                copying = 0;
            }
        } else if (now - start >= wanted && message >= counted_from + kLeastMessages) {
            break;
        }
    }
    while (shared.taken.load(std::memory_order_acquire) != message)
        platform::cpu_relax();
    const std::uint64_t elapsed = platform::ticks_to_ns(platform::ticks() - start);
    shared.last.store(message, std::memory_order_release);
    await_end();

    Taken taken;
    const auto bytes = static_cast<double>((message - counted_from) * cell.size);
    taken.rates.rate = bytes / static_cast<double>(std::max<std::uint64_t>(elapsed, 1));
    const std::uint64_t copying_ns = platform::ticks_to_ns(copying);
    taken.rates.pace = bytes / static_cast<double>(std::max<std::uint64_t>(copying_ns, 1));
    taken.disturbed = shared.disturbed || interruptions() != before;
    const std::span<std::byte> arrived = shared.buffer(message - 1);
    const std::byte* const sent = shared.source.data() + (arrived.data() - shared.target.data());
    const std::size_t some = std::min<std::size_t>(kCompared, cell.size);
    taken.right =
        std::memcmp(arrived.data(), sent, some) == 0 &&
        std::memcmp(arrived.data() + cell.size - some, sent + cell.size - some, some) == 0;
    // The next sample goes on where this one stopped: many buffers stay many.
    shared.cursor = (shared.cursor + message * cell.size) % shared.target.size();
    return taken;
}

}  // namespace causeway::calibrate
