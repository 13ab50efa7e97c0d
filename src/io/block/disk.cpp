#include "io/block/disk.hpp"

#include <algorithm>
#include <cerrno>
#include <numeric>
#include <utility>

#include "client/last_error.hpp"
#include "client/posting.hpp"
#include "platform/clock.hpp"

namespace causeway::io::block {
namespace {

namespace wire = abi::block;
using ull = unsigned long long;

constexpr std::uint64_t kSpinNs = 200'000;  // before a sleep
constexpr std::uint32_t kKnownFlags =
    CW_DISK_FUA | CW_DISK_ALLOCATE | CW_DISK_FAST_ONLY | CW_DISK_ONE_EXTENT;

constexpr std::uint32_t kSmallChunks = 128;

// What each side tells the other is short but for extents; data does not come by message.
[[nodiscard]] messaging::HostTerms host_terms(std::shared_ptr<client::Partition> partition,
                                              const std::string& target, const DiskTerms& terms) {
    messaging::HostTerms made;
    made.partition = std::move(partition);
    made.target = target;
    made.wait = terms.wait;
    made.channel.service = wire::kService;
    made.channel.messages = 512;
    made.channel.message = sizeof(wire::Done) + wire::kMostExtents * sizeof(wire::Extent);
    made.channel.sends = 512;
    made.channel.place = sizeof(wire::Request);
    made.channel.executor = terms.executor;
    return made;
}

[[nodiscard]] bool moves_data(std::uint32_t operation) noexcept {
    return operation == CW_DISK_OP_READ || operation == CW_DISK_OP_WRITE;
}

[[nodiscard]] tl::unexpected<Error> gone() {
    return fail(ErrorCode::adapter_gone,
                "the adapter has gone for good: close disk and partition, and attach anew");
}

}  // namespace

Disk::Disk(std::shared_ptr<client::Partition> partition, const std::string& target,
           const DiskTerms& terms)
    : partition_(partition),
      terms_(terms),
      host_(host_terms(std::move(partition), target, terms)),
      requests_(terms.depth),
      free_requests_(terms.depth),
      pieces_(kMostPieces),
      free_pieces_(kMostPieces) {
    std::iota(free_requests_.rbegin(), free_requests_.rend(), 0U);
    std::iota(free_pieces_.rbegin(), free_pieces_.rend(), 0U);
    again_.reserve(kMostPieces);
}

Disk::~Disk() = default;

Result<std::unique_ptr<Disk>> Disk::open(std::shared_ptr<client::Partition> partition,
                                         const std::string& target, const DiskTerms& terms,
                                         std::uint64_t timeout_ns) {
    std::unique_ptr<Disk> disk(new Disk(std::move(partition), target, terms));
    CW_TRY(disk->await(target, timeout_ns));
    return disk;
}

// Until the unit has opened the disk. What will not go away by waiting ends it.
Result<void> Disk::await(const std::string& target, std::uint64_t timeout_ns) {
    const std::uint64_t until = ipc::inner::moment_in(timeout_ns);
    while (!ready_) {
        if (turn())
            continue;
        if (host_.over())
            return gone();
        switch (host_.trouble_code()) {
            case ErrorCode::denied:
            case ErrorCode::not_found:
            case ErrorCode::invalid_argument:
            case ErrorCode::version:
            case ErrorCode::protocol:
            case ErrorCode::limit_reached:
            case ErrorCode::unsupported:
            case ErrorCode::no_memory:
                return fail(host_.trouble_code(), host_.trouble());
            default:
                break;
        }
        if (platform::monotonic_ns() >= until) {
            const std::string why = host_.trouble();
            return fail(ErrorCode::timed_out,
                        why.empty() ? target + " does not answer: is its unit running?" : why);
        }
        host_.wait(until);
    }
    return {};
}

cw_disk_info Disk::info() const noexcept {
    const auto has = [&](std::uint32_t feature) -> std::uint32_t {
        return (opened_.features & feature) != 0 ? 1 : 0;
    };
    return {.bytes = opened_.size,
            .block = opened_.block,
            .preferred = opened_.preferred,
            .most = kMostBytes,
            .depth = terms_.depth,
            .read_only = has(wire::feature::kReadOnly),
            .can_zero = has(wire::feature::kFastZero),
            .can_discard = has(wire::feature::kDiscard),
            .can_extents = has(wire::feature::kExtents),
            .rotational = has(wire::feature::kRotational),
            .in_place = in_place_ ? 1U : 0U,
            .connections = host_.connections(),
            .reserved = 0};
}

Result<void> Disk::check(const cw_disk_request& asked) const {
    if (asked.operation < CW_DISK_OP_READ || asked.operation > CW_DISK_OP_EXTENTS ||
        (asked.flags & ~kKnownFlags) != 0) {
        return fail_format(ErrorCode::invalid_argument,
                           "operation %u with flags 0x%x means nothing to a disk", asked.operation,
                           asked.flags);
    }
    if (asked.operation == CW_DISK_OP_FLUSH)
        return {};
    const std::uint32_t block = opened_.block;
    if (asked.length == 0 || asked.offset % block != 0 || asked.length % block != 0) {
        return fail_format(ErrorCode::invalid_argument,
                           "%llu bytes at %llu: the disk has blocks of %u bytes, and a request "
                           "takes one at least",
                           static_cast<ull>(asked.length), static_cast<ull>(asked.offset), block);
    }
    if (asked.length > opened_.size || asked.offset > opened_.size - asked.length) {
        return fail_format(ErrorCode::invalid_argument,
                           "%llu bytes at %llu end outside the disk, which has %llu",
                           static_cast<ull>(asked.length), static_cast<ull>(asked.offset),
                           static_cast<ull>(opened_.size));
    }
    if (moves_data(asked.operation) && asked.length > kMostBytes) {
        return fail_format(ErrorCode::invalid_argument,
                           "%llu bytes in one request; there may be %u",
                           static_cast<ull>(asked.length), kMostBytes);
    }
    if (asked.data == nullptr &&
        (moves_data(asked.operation) || asked.operation == CW_DISK_OP_EXTENTS)) {
        return fail(ErrorCode::invalid_argument, "no buffer given (NULL)");
    }
    return {};
}

// Where the unit finds the buffer of a request that moves data.
Result<void> Disk::find_memory(Request& request) {
    request.memory = {};
    if (!moves_data(request.asked.operation))
        return {};
    if (request.asked.handle == 0)
        return bounce_.made() ? Result<void>{} : bounce_.make(partition_, kSmallChunks);
    constexpr std::uint32_t kNeeded = CW_ACCESS_REMOTE_READ | CW_ACCESS_REMOTE_WRITE;
    client::RegionSpan region;
    std::uint64_t offset = 0;
    const cw_slice slice{request.asked.data, static_cast<std::uint32_t>(request.asked.length),
                         request.asked.handle};
    if (!client::locate(partition_->regions(), slice, region, offset)) {
        return fail_format(ErrorCode::invalid_argument,
                           "the buffer of %u bytes does not lie in region %u of this partition",
                           slice.length, slice.handle);
    }
    if ((region.rights & kNeeded) != kNeeded || (in_place_ && !region.exportable())) {
        return fail_format(ErrorCode::invalid_argument,
                           "region %u cannot be a disk's buffer: it needs remote_read, "
                           "remote_write, and exportable for executor direct",
                           slice.handle);
    }
    request.memory = {slice.handle, region.generation, region.registered + offset};
    return {};
}

Result<void> Disk::submit(const cw_disk_request& asked) {
    CW_TRY(check(asked));
    if (host_.over())
        return gone();
    if (free_requests_.empty()) {
        return fail_format(ErrorCode::again,
                           "%u requests are outstanding: take results first, or open the disk "
                           "with a larger depth",
                           terms_.depth);
    }
    const std::uint32_t number = free_requests_.back();
    Request& request = requests_[number];
    request = Request{};
    request.asked = asked;
    CW_TRY(find_memory(request));
    request.deadline_ns = ipc::inner::moment_in(terms_.timeout_ns);
    request.fresh = true;
    free_requests_.pop_back();
    append(number);
    send_pieces();
    return {};
}

void Disk::append(std::uint32_t number) noexcept {
    Request& request = requests_[number];
    request.older = newest_;
    (newest_ == kNone ? oldest_ : requests_[newest_].newer) = number;
    newest_ = number;
    if (next_fresh_ == kNone)
        next_fresh_ = number;
}

void Disk::unlink(std::uint32_t number) noexcept {
    const Request& request = requests_[number];
    if (next_fresh_ == number)
        next_fresh_ = request.newer;
    (request.older == kNone ? oldest_ : requests_[request.older].newer) = request.newer;
    (request.newer == kNone ? newest_ : requests_[request.newer].older) = request.older;
}

// Moves a request to the results.
void Disk::end(std::uint32_t number, std::int32_t error) noexcept {
    Request& request = requests_[number];
    unlink(number);
    if (error != 0)
        request.error = error;
    request.newer = kNone;
    (last_result_ == kNone ? first_result_ : requests_[last_result_].newer) = number;
    last_result_ = number;
}

int Disk::collect(cw_disk_result* out, int most) noexcept {
    int taken = 0;
    while (taken < most && first_result_ != kNone) {
        const std::uint32_t number = first_result_;
        const Request& request = requests_[number];
        first_result_ = request.newer;
        if (first_result_ == kNone)
            last_result_ = kNone;
        out[taken++] = {request.asked.user, request.error, request.extents};
        free_requests_.push_back(number);
    }
    return taken;
}

bool Disk::turn() noexcept {
    const bool any = host_.step(*this);
    if (!broken_.empty()) {
        host_.drop(*this, broken_code_, std::exchange(broken_, {}));
        return true;
    }
    if (any)
        send_pieces();
    return any;
}

// A fast device answers within the time that falling asleep and being woken take, there and here.
void Disk::rest(std::uint64_t until_ns) noexcept {
    const std::uint64_t begun = platform::monotonic_ns();
    const std::uint64_t spun = std::min(until_ns, begun + kSpinNs);
    spinner_.reset();
    while (terms_.wait == CW_WAIT_ADAPTIVE && ready_ && platform::monotonic_ns() < spun) {
        if (turn())
            return;
        spinner_.spin();
    }
    host_.wait(until_ns);
}

// Ends what has waited too long, and everything where nothing will come any more.
void Disk::expire(std::uint64_t now_ns) noexcept {
    const bool over = host_.over();
    if (!over && now_ns < next_deadline_ns())
        return;
    // What is under way could still reach a buffer: it must not, once its request has ended.
    const auto due = [&](const Request& request) { return over || now_ns >= request.deadline_ns; };
    bool under_way = false;
    for (std::uint32_t i = oldest_; i != kNone && due(requests_[i]); i = requests_[i].newer)
        under_way = under_way || requests_[i].pieces != 0;
    if (under_way)
        host_.drop(*this, ErrorCode::timed_out, "the unit did not answer in time; trying again");
    while (oldest_ != kNone && due(requests_[oldest_])) {
        const std::uint32_t number = oldest_;
        std::erase_if(again_, [&](std::uint32_t piece) {
            if (pieces_[piece].request != number)
                return false;
            free_piece(piece);
            return true;
        });
        end(number, over ? ESHUTDOWN : ETIMEDOUT);
    }
}

Result<int> Disk::poll(cw_disk_result* out, int most, std::uint64_t timeout_ns) {
    if (int taken = collect(out, most); taken != 0)
        return taken;
    const std::uint64_t until = timeout_ns == 0 ? 0 : ipc::inner::moment_in(timeout_ns);
    for (;;) {
        const bool any = turn();
        if (const int taken = collect(out, most); taken != 0)
            return taken;
        if (any)
            continue;
        if (oldest_ == kNone)
            return fail(ErrorCode::wrong_state, "no request is outstanding");
        const std::uint64_t now = platform::monotonic_ns();
        expire(now);
        if (const int taken = collect(out, most); taken != 0)
            return taken;
        if (now >= until) {
            if (watched_ && timeout_ns == 0)  // costs a barrier on all cores: not for who looks on
                (void)host_.settle(next_deadline_ns());
            return 0;
        }
        rest(std::min(until, next_deadline_ns()));
    }
}

// The result of one request, out of turn.
bool Disk::collect_one(std::uint32_t number, cw_disk_result& out) noexcept {
    std::uint32_t before = kNone;
    for (std::uint32_t i = first_result_; i != number; i = requests_[i].newer) {
        if (i == kNone)
            return false;
        before = i;
    }
    const Request& request = requests_[number];
    (before == kNone ? first_result_ : requests_[before].newer) = request.newer;
    if (last_result_ == number)
        last_result_ = before;
    out = {request.asked.user, request.error, request.extents};
    free_requests_.push_back(number);
    return true;
}

Result<void> Disk::call(const cw_disk_request& asked, cw_disk_result& out) {
    // Its number stays its own until its result was collected.
    const std::uint32_t number = free_requests_.empty() ? kNone : free_requests_.back();
    CW_TRY(submit(asked));
    while (!collect_one(number, out)) {
        if (turn())
            continue;
        expire(platform::monotonic_ns());
        if (collect_one(number, out))
            break;
        rest(next_deadline_ns());
    }
    return {};
}

int Disk::fd() noexcept {
    watched_ = true;
    const int file = host_.fd();
    if (file >= 0)
        return file;
    return -static_cast<int>(client::set_error(ErrorCode::adapter_gone, "the adapter has gone"));
}

}  // namespace causeway::io::block
