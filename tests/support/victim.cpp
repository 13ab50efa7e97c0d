#include "support/victim.hpp"

#include <algorithm>
#include <cstring>
#include <deque>
#include <vector>

#include "support/random.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kSlots = 8;                      // receives posted on each queue pair
constexpr std::uint32_t kStride = 4 * Victim::kReceive;  // between them: canaries
constexpr std::byte kCanary{0xa5};
constexpr std::size_t kMostPairs = 8;

void fill(const Region& region, std::uint64_t seed) { Random(seed).fill(region.bytes()); }
bool changed(const Region& region, std::uint64_t seed) {
    std::vector<std::byte> expected(region.size());
    Random(seed).fill(expected);
    return std::memcmp(expected.data(), region.data(), expected.size()) != 0;
}

}  // namespace

Victim::Victim(const std::string& socket)
    : partition_(Partition::attach("victim", {socket}).value()),
      queue_(partition_.create_completion_queue(512).value()),
      window_(
          partition_.allocate(kWindow, Access::remote_write | Access::remote_read | Access::append)
              .value()),
      read_only_(partition_.allocate(kWindow, Access::remote_read).value()),
      secret_(partition_.allocate(kWindow).value()),
      receives_(partition_.allocate(std::size_t{kSlots} * kStride).value()),
      listener_(partition_.listen("door", 64).value()) {
    fill(read_only_, 1);
    fill(secret_, 2);
    std::memset(receives_.data(), static_cast<int>(kCanary), receives_.size());
    thread_ = std::thread([this] { run(); });
}

Victim::~Victim() { stop(); }

void Victim::stop() {
    stop_.store(true);
    if (thread_.joinable())
        thread_.join();
}

void Victim::run() try {
    std::deque<QueuePair> pairs;
    const auto post = [this](QueuePair& pair, std::uint64_t slot) {
        return pair.post_receive(receives_.slice(slot * kStride, kReceive), slot);
    };
    std::optional<QueuePair> idle;
    while (!stop_.load()) {
        if (!idle) {
            idle = partition_.create_queue_pair({.completions = queue_}).value();
            for (std::uint64_t slot = 0; slot < kSlots; ++slot)
                post(*idle, slot).value();
        }
        if (listener_.accept(*idle, 1ms).has_value()) {
            pairs.push_back(std::move(*idle));
            idle.reset();
            accepted_.fetch_add(1);
        }
        for (const Completion& done : queue_.poll()) {
            if (done.ok() && done.opcode() == Opcode::receive && done.length() > kReceive) {
                trouble_ = "a message of " + std::to_string(done.length()) + " bytes came";
                failed_.store(true);
            }
            received_.fetch_add(done.ok() ? 1 : 0);
            const auto found = std::find_if(pairs.begin(), pairs.end(), [&](const QueuePair& pair) {
                return pair.raw() == done.queue_pair();
            });
            if (found != pairs.end() && found->state() == QueuePair::State::connected)
                (void)post(*found, done.id());
        }
        while (pairs.size() > kMostPairs ||
               (!pairs.empty() && pairs.front().state() == QueuePair::State::closed))
            pairs.pop_front();
    }
} catch (const std::exception& error) {
    trouble_ = error.what();
    failed_.store(true);
}

std::string Victim::check() const {
    if (failed_.load())
        return trouble_;
    if (changed(secret_, 2))
        return "the secret was changed";
    if (changed(read_only_, 1))
        return "what may only be read was changed";
    for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
        const auto begin = receives_.bytes().begin() + slot * kStride + kReceive;
        if (!std::all_of(begin, begin + (kStride - kReceive),
                         [](std::byte value) { return value == kCanary; }))
            return "something was written beside receive " + std::to_string(slot);
    }
    return "";
}

}  // namespace causeway::test
