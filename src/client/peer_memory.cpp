#include "client/peer_memory.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "platform/clock.hpp"
#include "platform/memfd.hpp"

namespace causeway::client {
namespace {

constexpr std::uint64_t kAskAgainNs = 1'000'000;

[[nodiscard]] tl::unexpected<Error> misfit() {
    return fail(ErrorCode::protocol,
                "the adapter granted memory of another layout than it announced; adapter and "
                "library do not fit together");
}

[[nodiscard]] Result<abi::ResolveReply> resolve_part(Partition& partition, std::uint32_t queue_pair,
                                                     std::uint32_t handle, std::uint32_t part,
                                                     platform::UniqueFd& memory) {
    auto request = control::make<abi::ResolveRequest>(abi::Request::resolve);
    request.queue_pair = queue_pair;
    request.handle = handle;
    request.part = part;
    return partition.adapter().try_once([&](control::Channel& channel) {
        return channel.call<abi::ResolveReply>(request, -1, &memory);
    });
}

// What the adapter says of a handle it will always say: handles do not come back, and rights do not
// change.
[[nodiscard]] constexpr Refusal refusal_of(ErrorCode code) noexcept {
    return code == ErrorCode::not_found || code == ErrorCode::denied ? Refusal::lasting
                                                                     : Refusal::passing;
}

}  // namespace

std::optional<abi::Status> PeerMemory::obtain(Partition& partition, std::uint32_t queue_pair,
                                              std::uint32_t handle, engine::Claim claim) noexcept {
    const bool peers = claim == engine::Claim::peers;
    if (peers && (overdone_ || refused_.holds(handle, platform::monotonic_ns())))
        return abi::Status::remote_access;
    if (platform::monotonic_ns() < ask_again_ns_)
        return std::nullopt;
    ErrorCode code = ErrorCode::no_memory;
    try {
        const auto mapped = map(partition, queue_pair, handle);
        if (mapped)
            return abi::Status::success;
        code = mapped.error().code;
    } catch (const std::bad_alloc&) {  // NOLINT(bugprone-empty-catch): as `code` says
    }
    if (partition.adapter().standing() == Standing::away)
        return std::nullopt;
    if (code == ErrorCode::again) {  // its owner is on its way back to the next adapter
        ask_again_ns_ = platform::monotonic_ns() + kAskAgainNs;
        return std::nullopt;
    }
    // Another connection with the same peer may still have it.
    if (code == ErrorCode::peer_gone || partition.gone())
        return abi::Status::peer_gone;
    if (peers && !refused_.note(handle, refusal_of(code), platform::monotonic_ns()))
        overdone_ = true;
    return code == ErrorCode::denied ? abi::Status::denied : abi::Status::remote_access;
}

Result<void> PeerMemory::map(Partition& partition, std::uint32_t queue_pair, std::uint32_t handle) {
    platform::UniqueFd file;
    CW_TRY_ASSIGN(const auto first, resolve_part(partition, queue_pair, handle, 0, file));
    if (first.size == 0 || first.size > abi::kMaxRegion ||
        first.parts != (first.size + abi::kRegionPart - 1) / abi::kRegionPart) {
        return misfit();
    }
    auto granted = std::make_shared<Granted>();
    const std::uint64_t alignment =
        first.size >= platform::kHugePage ? platform::kHugePage : platform::kPage;
    CW_TRY_ASSIGN(granted->memory, platform::Mapping::reserve(first.size, alignment));
    for (std::uint32_t part = 0; part < first.parts; ++part) {
        if (part != 0)
            CW_TRY(resolve_part(partition, queue_pair, handle, part, file));
        const std::uint64_t offset = std::uint64_t{part} * abi::kRegionPart;
        const std::uint64_t length = std::min(abi::kRegionPart, first.size - offset);
        CW_TRY_ASSIGN(const platform::FileFacts facts, platform::file_facts(file.get()));
        if (facts.size != length)
            return misfit();
        CW_TRY(granted->memory.place(offset, file.get(), 0, length));
        CW_TRY(granted->memory.populate_write(offset, length));
    }
    CW_TRY(granted->memory.dont_fork());
    engine::Region& region = granted->region;
    region.handle = handle;
    region.generation = first.generation;
    region.network_id = first.network_id;
    region.rights = first.rights;
    region.base = granted->memory.data();
    region.length = first.size;
    region.address = first.address;
    granted_.push_back(std::move(granted));
    if (!table_.place(granted_.back()->region)) {
        granted_.pop_back();
        return misfit();
    }
    return {};
}

Reached PeerMemory::reach(const abi::AddressSegment& remote, std::uint64_t length,
                          std::uint32_t rights) const noexcept {
    engine::Translation translated;
    if (!table_.translate_remote(remote, length, rights, translated))
        return {};
    for (const auto& granted : granted_) {
        if (&granted->region == translated.region)
            return {translated.bytes, granted};
    }
    return {};
}

void PeerMemory::forget() noexcept {
    for (const auto& granted : granted_)
        table_.remove(granted->region);
    granted_.clear();
}

void PeerMemory::abandon() noexcept {
    for (auto& granted : granted_)
        (void)granted->memory.release();
}

}  // namespace causeway::client
