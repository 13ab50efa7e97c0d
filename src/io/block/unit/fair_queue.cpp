#include "io/block/unit/fair_queue.hpp"

#include <algorithm>
#include <utility>

namespace causeway::io::block {
namespace {

constexpr std::uint64_t kSecondNs = 1'000'000'000;

__extension__ using Wide = unsigned __int128;

// a * b / c, where a * b may not fit.
[[nodiscard]] std::uint64_t scaled(std::uint64_t a, std::uint64_t b, std::uint64_t c) noexcept {
    return static_cast<std::uint64_t>(static_cast<Wide>(a) * b / c);
}

}  // namespace

std::int64_t FairQueue::Bucket::most() const noexcept {
    return static_cast<std::int64_t>(std::max<std::uint64_t>(scaled(rate, kBurstNs, kSecondNs), 1));
}

void FairQueue::Bucket::fill(std::uint64_t now_ns) noexcept {
    const std::uint64_t came = scaled(rate, std::min(now_ns - at_ns, kSecondNs * 3600), kSecondNs);
    if (came == 0)
        return;
    // What is left of a token stays for the next time.
    at_ns = tokens + static_cast<std::int64_t>(came) >= most()
                ? now_ns
                : at_ns + scaled(came, kSecondNs, rate);
    tokens = std::min(most(), tokens + static_cast<std::int64_t>(came));
}

std::uint64_t FairQueue::Bucket::wait_until(std::int64_t wanted, std::uint64_t now_ns) noexcept {
    if (rate == 0)
        return 0;
    fill(now_ns);
    const std::int64_t needed = std::min(wanted, most());
    if (tokens >= needed)
        return 0;
    return at_ns + scaled(static_cast<std::uint64_t>(needed - tokens), kSecondNs, rate) + 1;
}

FairQueue::Party FairQueue::add(const Allowance& allowance, std::uint64_t now_ns) {
    auto lane = std::make_unique<Lane>();
    lane->allowance = allowance;
    lane->allowance.weight = std::max(allowance.weight, 1U);
    lane->requests = {allowance.requests, 0, now_ns};
    lane->bytes = {allowance.bytes, 0, now_ns};
    lane->requests.tokens = lane->requests.most();
    lane->bytes.tokens = lane->bytes.most();
    const auto free = std::find(parties_.begin(), parties_.end(), nullptr);
    const auto party = static_cast<Party>(free - parties_.begin());
    if (free == parties_.end())
        parties_.push_back(std::move(lane));
    else
        *free = std::move(lane);
    return party;
}

void FairQueue::remove(Party party) noexcept {
    queued_ -= parties_[party]->items.size();
    parties_[party].reset();
}

void FairQueue::push(Party party, std::uint32_t item, std::uint64_t bytes) {
    parties_[party]->items.push_back({item, bytes, false});
    ++queued_;
    next_ns_ = 0;
}

void FairQueue::push_again(Party party, std::uint32_t item, std::uint64_t bytes) {
    parties_[party]->items.push_front({item, bytes, true});
    ++queued_;
    next_ns_ = 0;
}

void FairQueue::take_rest(Party party, Rest rest) noexcept {
    Lane& lane = *parties_[party];
    if (rest == Rest::done)
        lane.deficit -= static_cast<std::int64_t>(lane.items.front().bytes);
    lane.items.pop_front();
    --queued_;
}

// Until when a limit holds up the lane's first item; 0: it may go.
std::uint64_t FairQueue::limited_until(Lane& lane, std::uint64_t now_ns) const noexcept {
    const Item& first = lane.items.front();
    if (first.begun)
        return 0;
    return std::max(lane.requests.wait_until(1, now_ns),
                    lane.bytes.wait_until(static_cast<std::int64_t>(first.bytes), now_ns));
}

std::optional<FairQueue::Turn> FairQueue::pop(std::uint64_t now_ns, std::uint64_t most) noexcept {
    next_ns_ = UINT64_MAX;
    // Every lane in turn; one that needs more than a turn's quantum is added up to over the rounds.
    std::size_t idle = 0;
    while (queued_ != 0 && idle < parties_.size()) {
        turn_ %= parties_.size();
        Lane* const lane = parties_[turn_].get();
        const auto pass = [&] {
            ++turn_;
            fresh_turn_ = true;
        };
        if (lane == nullptr || lane->items.empty()) {
            if (lane != nullptr)
                lane->deficit = std::min<std::int64_t>(lane->deficit, 0);
            ++idle;
            pass();
            continue;
        }
        if (const std::uint64_t until = limited_until(*lane, now_ns); until != 0) {
            next_ns_ = std::min(next_ns_, until);
            lane->deficit = std::min<std::int64_t>(lane->deficit, 0);
            ++idle;
            pass();
            continue;
        }
        idle = 0;
        if (fresh_turn_) {
            fresh_turn_ = false;
            lane->deficit += static_cast<std::int64_t>(kQuantum * lane->allowance.weight);
        }
        Item& first = lane->items.front();
        const std::uint64_t bytes = std::min(first.bytes, most);
        const auto cost = static_cast<std::int64_t>(bytes + (first.begun ? 0 : kRequestCost));
        if (lane->deficit < cost) {
            pass();
            continue;
        }
        lane->deficit -= cost;
        note_turn(now_ns);
        const Turn turn{first.number, bytes, bytes == first.bytes};
        begin(*lane, first);
        first.bytes -= bytes;
        if (turn.last) {
            lane->items.pop_front();
            --queued_;
        }
        next_ns_ = 0;
        return turn;
    }
    return std::nullopt;
}

// From one party to another and on to a third, or back, within a short time: they take turns. One
// change alone is a party that begins where another has ended.
void FairQueue::note_turn(std::uint64_t now_ns) noexcept {
    const std::size_t last = std::exchange(last_, turn_);
    if (last == turn_ || last == SIZE_MAX)
        return;
    if (const std::uint64_t before = std::exchange(changed_ns_, now_ns);
        before != 0 && now_ns - before < kTogetherNs)
        shared_until_ns_ = now_ns + kLatelyNs;
}

void FairQueue::begin(Lane& lane, Item& item) noexcept {
    if (std::exchange(item.begun, true))
        return;
    if (lane.requests.rate != 0)
        --lane.requests.tokens;
    if (lane.bytes.rate != 0)
        lane.bytes.tokens -= static_cast<std::int64_t>(item.bytes);
}

}  // namespace causeway::io::block
