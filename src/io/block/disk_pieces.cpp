// The pieces that requests are made of: what goes to the unit, and what comes back.
#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

#include "io/block/disk.hpp"

namespace causeway::io::block {
namespace {

namespace wire = abi::block;
using messaging::Channel;
using messaging::Message;

[[nodiscard]] constexpr std::uint16_t number_of(wire::Kind kind) noexcept {
    return static_cast<std::uint16_t>(kind);
}

[[nodiscard]] wire::Kind kind_of(std::uint32_t operation) noexcept {
    switch (operation) {
        case CW_DISK_OP_READ:
            return wire::Kind::read;
        case CW_DISK_OP_WRITE:
            return wire::Kind::write;
        case CW_DISK_OP_ZERO:
            return wire::Kind::zero;
        case CW_DISK_OP_DISCARD:
            return wire::Kind::discard;
        case CW_DISK_OP_EXTENTS:
            return wire::Kind::extents;
        default:
            return wire::Kind::flush;
    }
}

[[nodiscard]] std::uint32_t flags_of(std::uint32_t flags) noexcept {
    namespace to = wire::request_flag;
    return ((flags & CW_DISK_FUA) != 0 ? to::kFua : 0) |
           ((flags & CW_DISK_ALLOCATE) != 0 ? to::kAllocate : 0) |
           ((flags & CW_DISK_FAST_ONLY) != 0 ? to::kFastOnly : 0) |
           ((flags & CW_DISK_ONE_EXTENT) != 0 ? to::kOneExtent : 0);
}

[[nodiscard]] wire::Access access_of(cw_disk_access access, bool once_more) noexcept {
    switch (access) {
        case CW_DISK_WRITE:
            return wire::Access::write;
        case CW_DISK_SHARED:
            return wire::Access::shared;
        case CW_DISK_MOST:
            return once_more ? wire::Access::read : wire::Access::write;
        default:
            return wire::Access::read;
    }
}

// What a host module may be told; anything else is an error of the unit's.
[[nodiscard]] std::int32_t error_of(std::uint32_t error) noexcept {
    switch (error) {
        case 0:
        case EPERM:
        case EIO:
        case ENOMEM:
        case EINVAL:
        case ENOSPC:
        case EOVERFLOW:
        case EOPNOTSUPP:
        case ESHUTDOWN:
            return static_cast<std::int32_t>(error);
        default:
            return EIO;
    }
}

[[nodiscard]] ErrorCode refusal_of(std::uint32_t error) noexcept {
    switch (error) {
        case EBUSY:
            return ErrorCode::limit_reached;
        case EINVAL:
            return ErrorCode::invalid_argument;
        default:
            return ErrorCode::denied;
    }
}

}  // namespace

void Disk::opened(Channel& channel) noexcept {
    wire::Open open{};
    open.access = static_cast<std::uint32_t>(access_of(terms_.access, reads_only_));
    std::memcpy(channel.place(), &open, sizeof open);
    (void)channel.send_place(number_of(wire::Kind::open), 0, sizeof open);
}

// What is under way is to be sent again, in the order in which it was.
void Disk::ended(Channel&) noexcept {
    ready_ = false;
    under_way_ = 0;
    again_.clear();
    for (std::uint32_t i = 0; i < kMostPieces; ++i) {
        if (pieces_[i].request == kNone)
            continue;
        ++pieces_[i].turn;
        again_.push_back(i);  // within what was reserved
    }
    std::sort(again_.begin(), again_.end(), [this](std::uint32_t a, std::uint32_t b) {
        return pieces_[a].order > pieces_[b].order;
    });
}

void Disk::take_opened(Channel& channel, const Message& message) noexcept {
    wire::Opened said{};
    if (message.length != sizeof said) {
        broken_ = "the unit speaks another version of the block protocol";
        broken_code_ = ErrorCode::protocol;
        return;
    }
    std::memcpy(&said, message.data, sizeof said);
    // What a message may hold beside a Request.
    constexpr std::uint32_t kRequest = sizeof(wire::Request);
    const std::uint32_t most = channel.largest() > kRequest ? channel.largest() - kRequest : 0;
    said.most_moved = std::min(said.most_moved, most);
    const bool sound = said.size != 0 && std::has_single_bit(said.block) &&
                       said.block <= Chunks::kLarge && said.size % said.block == 0 &&
                       said.depth != 0 && said.most_moved >= said.block &&
                       said.most_deallocate >= said.block;
    if (!sound) {
        broken_ = "what the unit says of its disk makes no sense";
        broken_code_ = ErrorCode::protocol;
        return;
    }
    said.most_moved -= said.most_moved % said.block;
    said.most_in_place -= said.most_in_place % said.block;
    said.most_deallocate -= said.most_deallocate % said.block;
    opened_ = said;
    in_place_ = (said.features & wire::feature::kInPlace) != 0 && said.most_in_place != 0;
    ready_ = true;
    send_pieces();
}

void Disk::take_refused(const Message& message) noexcept {
    wire::Refused refused{};
    if (message.length < sizeof refused)
        return;
    std::memcpy(&refused, message.data, sizeof refused);
    // Whoever takes what it gets asks once more, for reading.
    if (terms_.access == CW_DISK_MOST && !reads_only_ && opened_.size == 0 &&
        (refused.error == EROFS || refused.error == EACCES || refused.error == EBUSY)) {
        reads_only_ = true;
        broken_ = "only reading is allowed; asking for that";
        broken_code_ = ErrorCode::again;
        return;
    }
    constexpr std::size_t kMostText = 512;
    try {
        broken_.assign(reinterpret_cast<const char*>(message.data) + sizeof refused,
                       std::min<std::size_t>(message.length - sizeof refused, kMostText));
    } catch (...) {
        broken_ = "refused";
    }
    if (broken_.empty())
        broken_ = "refused";
    broken_code_ = refusal_of(refused.error);
}

void Disk::message(Channel& channel, const Message& message) noexcept {
    switch (static_cast<wire::Kind>(message.kind)) {
        case wire::Kind::done:
            if (!take_done(message)) {
                broken_ = "the unit ended what it was not asked for";
                broken_code_ = ErrorCode::protocol;
            }
            break;
        case wire::Kind::opened:
            if (!ready_)
                take_opened(channel, message);
            break;
        case wire::Kind::refused:
            if (!ready_)
                take_refused(message);
            break;
        default:
            break;  // of a later version
    }
    channel.release(message.token);
}

bool Disk::take_done(const Message& message) noexcept {
    wire::Done done{};
    const auto number = static_cast<std::uint32_t>(message.tag);
    if (!ready_ || message.length < sizeof done || number >= kMostPieces)
        return false;
    std::memcpy(&done, message.data, sizeof done);
    Piece& piece = pieces_[number];
    if (piece.request == kNone || piece.turn != message.tag >> 32)
        return false;
    --under_way_;
    Request& request = requests_[piece.request];
    if (done.error == EFAULT && piece.in_place) {
        // The device cannot reach that memory after all: by messages, then.
        in_place_ = false;
        ++piece.turn;
        again_.push_back(number);
        send_pieces();
        return true;
    }
    if (const std::int32_t error = error_of(done.error); error != 0) {
        if (request.error == 0)
            request.error = error;
    } else if (request.asked.operation == CW_DISK_OP_READ && piece.chunk != Chunks::kNone) {
        std::memcpy(static_cast<std::byte*>(request.asked.data) + piece.offset,
                    bounce_.at(piece.chunk), piece.length);
    } else if (request.asked.operation == CW_DISK_OP_EXTENTS) {
        const std::size_t there = (message.length - sizeof done) / sizeof(wire::Extent);
        static_assert(sizeof(wire::Extent) == sizeof(cw_disk_extent));
        static_assert(wire::extent_flag::kHole == CW_DISK_HOLE);
        static_assert(wire::extent_flag::kZero == CW_DISK_ZEROS);
        request.extents = static_cast<std::uint32_t>(
            std::min<std::size_t>({done.extents, there, request.asked.room}));
        std::memcpy(request.asked.data, message.data + sizeof done,
                    request.extents * sizeof(wire::Extent));
    }
    const std::uint32_t of = piece.request;
    free_piece(number);
    --request.pieces;
    end_if_done(of);
    return true;
}

void Disk::free_piece(std::uint32_t number) noexcept {
    Piece& piece = pieces_[number];
    if (piece.chunk != Chunks::kNone)
        bounce_.give(std::exchange(piece.chunk, Chunks::kNone));
    piece.request = kNone;
    ++piece.turn;
    free_pieces_.push_back(number);
}

// A request that has failed in a part is not gone on with.
void Disk::end_if_done(std::uint32_t number) noexcept {
    Request& request = requests_[number];
    if (request.error != 0 && request.fresh) {
        request.fresh = false;
        if (next_fresh_ == number)
            next_fresh_ = request.newer;
    }
    if (request.pieces == 0 && !request.fresh)
        end(number, 0);
}

void Disk::send_pieces() noexcept {
    if (!ready_ || host_.channel() == nullptr)
        return;
    while (send_again()) {}
    if (!again_.empty())
        return;
    while (send_fresh()) {}
}

// The next piece of those that were sent already; false: there is none, or no room.
bool Disk::send_again() noexcept {
    if (again_.empty() || under_way_ >= opened_.depth)
        return false;
    const std::uint32_t number = again_.back();
    Request& request = requests_[pieces_[number].request];
    Sent sent = shorten(number);
    if (sent == Sent::yes)
        sent = send_piece(request, number);
    if (sent == Sent::no_room)
        return false;
    again_.pop_back();
    if (sent == Sent::failed) {  // longer than the unit takes now
        const std::uint32_t of = pieces_[number].request;
        request.error = EIO;
        free_piece(number);
        --request.pieces;
        end_if_done(of);
    }
    return true;
}

// A piece that is longer than what the unit takes now becomes two.
Disk::Sent Disk::shorten(std::uint32_t number) noexcept {
    Piece& piece = pieces_[number];
    const std::uint32_t operation = requests_[piece.request].asked.operation;
    const std::uint32_t most = in_place_ ? opened_.most_in_place : opened_.most_moved;
    const bool moves = operation == CW_DISK_OP_READ || operation == CW_DISK_OP_WRITE;
    if (!moves || piece.chunk != Chunks::kNone || piece.length <= most)
        return Sent::yes;
    if (free_pieces_.empty())
        return under_way_ != 0 ? Sent::no_room : Sent::failed;
    const std::uint32_t rest = free_pieces_.back();
    free_pieces_.pop_back();
    pieces_[rest].request = piece.request;
    pieces_[rest].offset = piece.offset + most;
    pieces_[rest].length = piece.length - most;
    pieces_[rest].order = piece.order;
    piece.length = most;
    ++requests_[piece.request].pieces;
    again_.insert(again_.end() - 1, rest);  // within what was reserved
    return Sent::yes;
}

// Bytes of the next piece of a request.
std::uint64_t Disk::longest(const Request& request) const noexcept {
    const std::uint64_t left = request.asked.length - request.sent;
    switch (request.asked.operation) {
        case CW_DISK_OP_READ:
        case CW_DISK_OP_WRITE: {
            std::uint32_t most = in_place_ ? opened_.most_in_place : opened_.most_moved;
            if (request.memory.handle == 0)
                most = std::min(most, Chunks::kLarge);
            return std::min<std::uint64_t>(left, most);
        }
        case CW_DISK_OP_ZERO:
        case CW_DISK_OP_DISCARD:
            return std::min(left, opened_.most_deallocate);
        case CW_DISK_OP_EXTENTS:
            return std::min<std::uint64_t>(left, std::uint64_t{UINT32_MAX} * opened_.block);
        default:
            return 0;
    }
}

bool Disk::send_fresh() noexcept {
    if (next_fresh_ == kNone || free_pieces_.empty() || under_way_ >= opened_.depth)
        return false;
    const std::uint32_t of = next_fresh_;
    Request& request = requests_[of];
    const std::uint32_t number = free_pieces_.back();
    Piece& piece = pieces_[number];
    piece.offset = request.sent;
    piece.length = longest(request);
    const bool moves =
        request.asked.operation == CW_DISK_OP_READ || request.asked.operation == CW_DISK_OP_WRITE;
    if (moves && request.memory.handle == 0) {
        piece.chunk = bounce_.take(static_cast<std::uint32_t>(piece.length));
        if (piece.chunk == Chunks::kNone)
            return false;
        if (request.asked.operation == CW_DISK_OP_WRITE) {
            std::memcpy(bounce_.at(piece.chunk),
                        static_cast<const std::byte*>(request.asked.data) + piece.offset,
                        piece.length);
        }
    }
    piece.order = ++sent_pieces_;
    const Sent sent = send_piece(request, number);
    if (sent != Sent::yes && piece.chunk != Chunks::kNone)
        bounce_.give(std::exchange(piece.chunk, Chunks::kNone));
    if (sent == Sent::failed) {
        request.error = EIO;
        end_if_done(of);
    }
    if (sent != Sent::yes)
        return sent == Sent::failed;  // the next request may go
    free_pieces_.pop_back();
    piece.request = of;
    ++request.pieces;
    request.sent += piece.length;
    if (request.sent >= request.asked.length || request.asked.operation == CW_DISK_OP_EXTENTS ||
        request.asked.operation == CW_DISK_OP_FLUSH) {
        request.fresh = false;
        next_fresh_ = request.newer;
    }
    return true;
}

Disk::Sent Disk::send_piece(Request& request, std::uint32_t number) noexcept {
    Piece& piece = pieces_[number];
    Channel& channel = *host_.channel();
    const cw_disk_request& asked = request.asked;
    const bool writes = asked.operation == CW_DISK_OP_WRITE;
    wire::Request wanted{};
    wanted.offset = asked.offset + piece.offset;
    wanted.flags = flags_of(asked.flags);
    cw_slice data{};
    piece.in_place = in_place_;
    // A unit that has come back may have other blocks.
    if (wanted.offset % opened_.block != 0 || piece.length % opened_.block != 0)
        return Sent::failed;
    if (writes || asked.operation == CW_DISK_OP_READ) {
        if (piece.length > (in_place_ ? opened_.most_in_place : opened_.most_moved))
            return Sent::failed;
        cw_remote memory = request.memory;
        data = {static_cast<std::byte*>(asked.data) + piece.offset,
                static_cast<std::uint32_t>(piece.length), asked.handle};
        memory.address += piece.offset;
        if (piece.chunk != Chunks::kNone) {
            memory = bounce_.remote(piece.chunk);
            data = bounce_.slice(piece.chunk, data.length);
        }
        wanted.length = data.length;
        wanted.handle = memory.handle;
        wanted.generation = memory.generation;
        wanted.address = memory.address;
        if (writes && in_place_)
            wanted.flags |= wire::request_flag::kInPlace;
    } else {
        wanted.length = static_cast<std::uint32_t>(piece.length / opened_.block);
    }
    const std::uint16_t kind = number_of(kind_of(asked.operation));
    const std::uint64_t tag = std::uint64_t{piece.turn} << 32 | number;
    ErrorCode code = ErrorCode::none;
    if (writes && !in_place_) {
        const auto* const bytes = reinterpret_cast<const std::byte*>(&wanted);
        code = channel.send(kind, tag, {bytes, sizeof wanted}, {&data, 1}, 0);
    } else {
        std::memcpy(channel.place(), &wanted, sizeof wanted);
        code = channel.send_place(kind, tag, sizeof wanted);
    }
    if (code != ErrorCode::none)
        return Sent::no_room;  // or the connection has ended: that comes yet
    ++under_way_;
    return Sent::yes;
}

}  // namespace causeway::io::block
