// What hosts ask for, from the message to its answer.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "base/assert.hpp"
#include "io/block/unit/unit.hpp"

namespace causeway::io::block {
namespace {

namespace wire = abi::block;
namespace flag = wire::request_flag;
using messaging::Channel;
using messaging::Message;

constexpr std::uint32_t kReleased = UINT32_MAX;  // as a token
// What a step takes upon itself before it looks at the fabric again, in bytes moved. Among several
// hosts that is one request or a part of one, so that none waits for more of another's.
constexpr std::uint64_t kMostAtOnce = 256U << 10;
constexpr std::uint64_t kPart = 8U << 10;
constexpr std::uint64_t kTurnCost = 128;  // of one that goes to the device, or has to wait

[[nodiscard]] bool is_request(std::uint16_t kind) noexcept {
    return kind >= static_cast<std::uint16_t>(wire::Kind::read) &&
           kind <= static_cast<std::uint16_t>(wire::Kind::extents);
}

[[nodiscard]] bool changes(wire::Kind kind) noexcept {
    return kind == wire::Kind::write || kind == wire::Kind::zero || kind == wire::Kind::discard;
}

[[nodiscard]] Operation operation_of(wire::Kind kind) noexcept {
    switch (kind) {
        case wire::Kind::read:
            return Operation::read;
        case wire::Kind::write:
            return Operation::write;
        case wire::Kind::zero:
            return Operation::zero;
        case wire::Kind::discard:
            return Operation::discard;
        case wire::Kind::extents:
            return Operation::extents;
        default:
            return Operation::flush;
    }
}

}  // namespace

std::uint32_t BlockUnit::take_job() noexcept {
    if (free_jobs_.empty()) {
        try {
            free_jobs_.reserve(jobs_.size() + 1);
            jobs_.emplace_back();
        } catch (const std::bad_alloc&) {
            return kNone;
        }
        free_jobs_.push_back(static_cast<std::uint32_t>(jobs_.size() - 1));
    }
    const std::uint32_t number = free_jobs_.back();
    free_jobs_.pop_back();
    return number;
}

void BlockUnit::free_job(std::uint32_t number) noexcept {
    Job& job = jobs_[number];
    give_chunk(job);
    job.reached = {};
    job.guest = nullptr;
    job.state = Job::State::free;
    free_jobs_.push_back(number);
}

// Its host has gone: nobody is answered.
void BlockUnit::forget(std::uint32_t number) noexcept {
    const Job& job = jobs_[number];
    if (job.token != kReleased)
        job.channel->release(job.token);
    free_job(number);
}

void BlockUnit::enqueue(Guest& guest, const Message& message) noexcept {
    Channel& channel = *guest.channel;
    const std::uint32_t number =
        is_request(message.kind) && message.length >= sizeof(wire::Request) ? take_job() : kNone;
    if (number == kNone) {
        channel.release(message.token);
        return;
    }
    Job& job = jobs_[number];
    job.state = Job::State::queued;
    job.guest = &guest;
    job.channel = &channel;
    job.token = message.token;
    job.tag = message.tag;
    job.kind = static_cast<wire::Kind>(message.kind);
    std::memcpy(&job.request, message.data, sizeof job.request);
    job.inline_data = message.data + sizeof job.request;
    job.done = 0;
    job.data = nullptr;
    job.error = 0;
    const auto behind = static_cast<std::uint32_t>(message.length - sizeof job.request);
    if (const int error = check(guest, job, behind); error != 0) {
        finish(number, error);
        return;
    }
    try {
        const bool moves = job.kind == wire::Kind::read || job.kind == wire::Kind::write;
        queue_.push(guest.host->party, number, moves ? job.bytes : 0);
    } catch (const std::bad_alloc&) {
        finish(number, ENOMEM);
    }
}

// 0, or what is wrong with it. `length`: of what came with it.
int BlockUnit::check(const Guest& guest, Job& job, std::uint32_t length) const noexcept {
    const wire::Request& request = job.request;
    const bool moves = job.kind == wire::Kind::read || job.kind == wire::Kind::write;
    const std::uint32_t block = image_.block();
    job.bytes = moves ? request.length : std::uint64_t{request.length} * block;
    if (!guest.opened || (request.flags & ~flag::kAll) != 0)
        return EINVAL;
    if (changes(job.kind) && !guest.writes)
        return EPERM;
    if (job.kind == wire::Kind::flush)
        return 0;
    if (job.bytes == 0 || job.bytes % block != 0 || request.offset % block != 0)
        return EINVAL;
    if (job.bytes > image_.size() || request.offset > image_.size() - job.bytes)
        return changes(job.kind) ? ENOSPC : EINVAL;
    if (moves && request.length > kMostInPlace)
        return EOVERFLOW;
    const bool comes_along = job.kind == wire::Kind::write && (request.flags & flag::kInPlace) == 0;
    return comes_along && length != request.length ? EINVAL : 0;
}

// Begins what is queued, as far as there is room; false: nothing. What there is no room for waits
// by itself: it is one host's business.
bool BlockUnit::dispatch() noexcept {
    const bool shared = queue_.shared(now_ns_);
    const std::uint64_t most = shared ? kPart : UINT64_MAX;
    const std::uint64_t limit = shared ? FairQueue::kRequestCost : kMostAtOnce;
    std::uint64_t spent = 0;
    if (postponed_ != 0)
        queue_postponed();
    while (spent < limit && device_->under_way() < Device::kDepth) {
        const auto turn = queue_.pop(now_ns_, most);
        if (!turn)
            break;
        const FairQueue::Party party = jobs_[turn->item].guest->host->party;
        const Begun begun = begin(*turn, spent);
        if (begun != Begun::part && !turn->last) {
            queue_.take_rest(party,
                             begun == Begun::whole ? FairQueue::Rest::done : FairQueue::Rest::left);
        }
        if (begun == Begun::nothing)
            postpone(turn->item);
        spent += kTurnCost;
    }
    return spent != 0;
}

void BlockUnit::postpone(std::uint32_t number) noexcept {
    try {
        jobs_[number].guest->postponed.push_back(number);
        ++postponed_;
    } catch (const std::bad_alloc&) {
        finish(number, ENOMEM);
    }
}

// Those for which there is memory now.
void BlockUnit::queue_postponed() noexcept {
    for (const auto& guest : guests_) {
        auto& waiting = guest->postponed;
        while (!waiting.empty() && find_memory(jobs_[waiting.front()]) == Found::yes) {
            const std::uint32_t number = waiting.front();
            waiting.pop_front();
            --postponed_;
            try {
                queue_.push_again(guest->host->party, number, jobs_[number].bytes);
            } catch (const std::bad_alloc&) {
                finish(number, ENOMEM);
            }
        }
    }
}

// A part is done here and now, or all that is left goes to the device.
BlockUnit::Begun BlockUnit::begin(const FairQueue::Turn& turn, std::uint64_t& spent) noexcept {
    const std::uint32_t number = turn.item;
    Job& job = jobs_[number];
    const bool moves = job.kind == wire::Kind::read || job.kind == wire::Kind::write;
    if (moves && job.data == nullptr && find_memory(job) == Found::no_room)
        return Begun::nothing;
    if (job.error != 0) {
        finish(number, job.error);
        return Begun::whole;
    }
    Order order{operation_of(job.kind), job.request.flags, job.request.offset + job.done,
                moves ? turn.bytes : job.bytes};
    order.data = moves ? job.data + job.done : nullptr;
    order.extents = &job.extents;
    order.cookie = number;
    if (const auto error = device_->try_at_once(order)) {
        spent += FairQueue::kRequestCost + turn.bytes;
        job.done += turn.bytes;
        if (*error == 0 && !turn.last)
            return Begun::part;
        finish(number, *error);
        return Begun::whole;
    }
    order.length = job.bytes - job.done;
    job.state = Job::State::working;
    if (const auto error = device_->submit(order))
        finish(number, *error);
    return Begun::whole;
}

// Where the device reads from or writes to; job.error where there is none.
BlockUnit::Found BlockUnit::find_memory(Job& job) noexcept {
    const wire::Request& request = job.request;
    const bool reads = job.kind == wire::Kind::read;
    const std::byte* from = job.inline_data;
    if (reads || (request.flags & flag::kInPlace) != 0) {
        const abi::AddressSegment remote{request.handle, request.generation, request.address};
        const ErrorCode code = job.channel->pair().reach(
            remote, job.bytes, reads ? CW_ACCESS_REMOTE_WRITE : CW_ACCESS_REMOTE_READ, job.reached);
        if (code == ErrorCode::again)
            return Found::no_room;
        if (code != ErrorCode::none && !(code == ErrorCode::unsupported && reads)) {
            job.error = EFAULT;
            return Found::yes;
        }
        from = job.reached.at;
    }
    job.data = const_cast<std::byte*>(from);
    const bool usable =
        from != nullptr && reinterpret_cast<std::uintptr_t>(from) % image_.alignment() == 0;
    if (usable)
        return Found::yes;
    // Not aligned as the device wants it. A host's memory is touched by the kernel and by the
    // engine only, which survive that it faults: a read is put there, a write has to come along.
    if (!reads && job.reached.at != nullptr) {
        job.error = EFAULT;
        return Found::yes;
    }
    job.reached = {};
    job.data = nullptr;
    if (!take_chunk(job))
        return Found::no_room;
    job.data = chunks_.at(job.chunk);
    if (!reads)
        std::memcpy(job.data, from, job.bytes);
    return Found::yes;
}

// A host has a share of the chunks at most, and to be read into only as many as it has room for
// answers: so it cannot hold on to them by not taking these.
bool BlockUnit::take_chunk(Job& job) noexcept {
    const bool reads = job.kind == wire::Kind::read;
    if (reads && !job.channel->has_room(sizeof(wire::Done), job.guest->owed))
        return false;
    const bool small = job.bytes <= Chunks::kSmall;
    std::uint32_t& held = small ? job.guest->host->small_chunks : job.guest->host->large_chunks;
    if (held >= (small ? kSmallChunks : Chunks::kLargeCount) / kChunkShares)
        return false;
    job.chunk = chunks_.take(static_cast<std::uint32_t>(job.bytes));
    if (job.chunk == Chunks::kNone)
        return false;
    job.chunk_of = job.guest->host;
    ++held;
    job.owes = reads;
    job.guest->owed += reads ? 1 : 0;
    return true;
}

// The answer that was kept room for has been sent, or needs none of it any more.
void BlockUnit::settle_debt(Job& job) noexcept {
    if (std::exchange(job.owes, false) && job.guest != nullptr)
        --job.guest->owed;
}

void BlockUnit::give_chunk(Job& job) noexcept {
    if (job.chunk == Chunks::kNone)
        return;
    settle_debt(job);
    const bool small = job.bytes <= Chunks::kSmall;
    --(small ? job.chunk_of->small_chunks : job.chunk_of->large_chunks);
    chunks_.give(std::exchange(job.chunk, Chunks::kNone));
}

void BlockUnit::count(Job& job) noexcept {
    if (job.guest == nullptr)
        return;
    Counters& counters = job.guest->host->counters;
    switch (job.kind) {
        case wire::Kind::read:
            ++counters.reads;
            counters.read_bytes += job.error == 0 ? job.bytes : 0;
            break;
        case wire::Kind::write:
            ++counters.writes;
            counters.written_bytes += job.error == 0 ? job.bytes : 0;
            break;
        case wire::Kind::flush:
            ++counters.flushes;
            break;
        default:
            ++counters.others;
            break;
    }
    counters.errors += job.error == 0 ? 0 : 1;
}

void BlockUnit::finish(std::uint32_t number, int error) noexcept {
    Job& job = jobs_[number];
    job.error = error;
    job.state = Job::State::answering;
    count(job);
    if (job.guest == nullptr) {
        forget(number);
        return;
    }
    if (job.kind != wire::Kind::read || error != 0)
        give_chunk(job);
    std::deque<std::uint32_t>& waiting = job.guest->unanswered;
    if ((job.owes || waiting.empty()) && answer(number))
        return;
    try {
        // In front: what waits for credit must not hold up what has it.
        if (job.owes)
            waiting.push_front(number);
        else
            waiting.push_back(number);
        ++unanswered_;
    } catch (const std::bad_alloc&) {
        free_job(number);  // it is timed out there
    }
}

// Answers that there was no room for; false: there still is none.
bool BlockUnit::answer_late() noexcept {
    bool any = false;
    for (std::size_t i = 0; unanswered_ != 0 && i < guests_.size(); ++i) {
        auto& waiting = guests_[i]->unanswered;
        while (!waiting.empty() && answer(waiting.front())) {
            waiting.pop_front();
            --unanswered_;
            any = true;
        }
    }
    return any;
}

// Tells the host; false: there is no room now.
bool BlockUnit::answer(std::uint32_t number) noexcept {
    Job& job = jobs_[number];
    // Its credit goes back with the answer.
    if (job.token != kReleased) {
        job.channel->release(job.token);
        job.token = kReleased;
    }
    const bool from_chunk = job.chunk != Chunks::kNone;
    const ErrorCode code = from_chunk ? send_chunk(number) : send_done(job);
    if (code == ErrorCode::again)
        return false;
    settle_debt(job);
    if (from_chunk && code == ErrorCode::none)
        job.state = Job::State::sending;  // the chunk is free when that has ended
    else
        free_job(number);
    return true;
}

// What was read, into the host's memory, and that it is there.
ErrorCode BlockUnit::send_chunk(std::uint32_t number) noexcept {
    const Job& job = jobs_[number];
    Channel& channel = *job.channel;
    const wire::Request& request = job.request;
    const wire::Done done{};
    const cw_slice slice = chunks_.slice(job.chunk, request.length);
    if (!channel.has_room(sizeof done))
        return ErrorCode::again;
    const ErrorCode code =
        channel.put({request.handle, request.generation, request.address}, {&slice, 1});
    if (code != ErrorCode::none)
        return code;
    const auto* const bytes = reinterpret_cast<const std::byte*>(&done);
    return channel.send(static_cast<std::uint16_t>(wire::Kind::done), job.tag, {bytes, sizeof done},
                        {}, number, Channel::After::puts);
}

ErrorCode BlockUnit::send_done(const Job& job) noexcept {
    Channel& channel = *job.channel;
    const bool extents = job.kind == wire::Kind::extents && job.error == 0;
    const wire::Done done{static_cast<std::uint32_t>(job.error),
                          extents ? static_cast<std::uint32_t>(job.extents.size()) : 0};
    const std::size_t more = done.extents * sizeof(wire::Extent);
    const auto length = static_cast<std::uint32_t>(sizeof done + more);
    if (!channel.ended() && !channel.has_room(length, job.guest->owed))
        return ErrorCode::again;
    std::byte* const place = channel.place();
    std::memcpy(place, &done, sizeof done);
    if (more != 0)
        std::memcpy(place + sizeof done, job.extents.data(), more);
    return channel.send_place(static_cast<std::uint16_t>(wire::Kind::done), job.tag, length);
}

void BlockUnit::sent(Channel&, std::uint64_t cookie) noexcept {
    const auto number = static_cast<std::uint32_t>(cookie);
    CW_ASSERT(number < jobs_.size() && jobs_[number].state == Job::State::sending);
    free_job(number);
}

}  // namespace causeway::io::block
