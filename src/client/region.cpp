#include "client/region.hpp"

#include <utility>

#include "base/fault_point.hpp"
#include "platform/memfd.hpp"

namespace causeway::client {
namespace {

using ull = unsigned long long;
constexpr std::uint32_t kKnownFlags = CW_HUGE_PAGES | CW_ZERO_BASED;

static_assert(CW_ACCESS_REMOTE_WRITE == abi::right::kRemoteWrite);
static_assert(CW_ACCESS_REMOTE_READ == abi::right::kRemoteRead);
static_assert(CW_ACCESS_APPEND == abi::right::kAppend);
static_assert(CW_ACCESS_EXPORTABLE == abi::right::kExportable);

[[nodiscard]] Result<void> check_terms(const Partition& partition, std::uint64_t size,
                                       const RegionTerms& terms) {
    if ((terms.access & ~abi::right::kAll) != 0) {
        return fail_format(
            ErrorCode::invalid_argument,
            "access 0x%x of a region has bits that mean nothing; combine CW_ACCESS_*",
            terms.access);
    }
    if ((terms.flags & ~kKnownFlags) != 0) {
        return fail_format(ErrorCode::invalid_argument,
                           "flags 0x%x of a region have bits that mean nothing; combine "
                           "CW_HUGE_PAGES and CW_ZERO_BASED",
                           terms.flags);
    }
    if (size == 0 || size > abi::kMaxRegion) {
        return fail_format(ErrorCode::invalid_argument,
                           "a region of %llu bytes wanted; take 1 to %llu", static_cast<ull>(size),
                           static_cast<ull>(abi::kMaxRegion));
    }
    if (size > partition.max_bytes()) {
        return fail_format(ErrorCode::limit_reached,
                           "a region of %llu bytes wanted; this partition may register %llu in all",
                           static_cast<ull>(size), static_cast<ull>(partition.max_bytes()));
    }
    return {};
}

}  // namespace

Result<Region> Region::allocate(std::shared_ptr<Partition> partition, std::uint64_t size,
                                const RegionTerms& terms) {
    CW_TRY(check_terms(*partition, size, terms));
    const bool huge = (terms.flags & CW_HUGE_PAGES) != 0;
    const std::uint64_t unit = huge ? platform::kHugePage : platform::kPage;
    const std::uint64_t whole = (size + unit - 1) / unit * unit;
    CW_TRY_ASSIGN(
        RegionMemory memory,
        RegionMemory::create(whole, huge ? platform::PageSize::huge : platform::PageSize::normal));
    return enroll(Region(std::move(partition), std::move(memory)), terms);
}

Result<Region> Region::adopt(std::shared_ptr<Partition> partition, void* address,
                             std::uint64_t size, const RegionTerms& terms) {
    CW_TRY(check_terms(*partition, size, terms));
    if ((terms.flags & CW_HUGE_PAGES) != 0) {
        return fail(ErrorCode::unsupported,
                    "memory cannot be adopted into huge pages; adopt it without CW_HUGE_PAGES, or "
                    "allocate a region with it");
    }
    CW_TRY_ASSIGN(RegionMemory memory, RegionMemory::adopt(static_cast<std::byte*>(address), size));
    return enroll(Region(std::move(partition), std::move(memory)), terms);
}

// Registers the parts in order; the last reply brings the handle.
Result<Region> Region::enroll(Region region, const RegionTerms& terms) {
    Partition& partition = *region.partition_;
    RegionMemory& memory = region.memory_;
    const bool zero_based = (terms.flags & CW_ZERO_BASED) != 0;
    region.exportable_ = (terms.access & CW_ACCESS_EXPORTABLE) != 0;
    region.base_ = zero_based ? 0 : reinterpret_cast<std::uintptr_t>(memory.data());
    {
        const std::lock_guard in_order(partition.registration_lock());
        std::uint32_t epoch = 0;
        for (std::uint32_t part = 0; part < memory.parts();) {
            CW_TRY_ASSIGN(const Took took, region.enroll_part(part, terms, epoch));
            part = took == Took::part ? part + 1 : 0;
            CAUSEWAY_FAULT_POINT("client.register.replied");
        }
    }
    partition.regions().insert(region.registered_.handle,
                               {reinterpret_cast<std::uintptr_t>(memory.data()), memory.size(),
                                region.base_, region.registered_.generation, terms.access});
    if (!partition.adapter().survives())
        memory.close_files();
    return region;
}

// `epoch`: of the adapter that took the first part, which is the only one that can take the next.
Result<Region::Took> Region::enroll_part(std::uint32_t part, const RegionTerms& terms,
                                         std::uint32_t& epoch) {
    auto request = control::make<abi::RegisterRequest>(abi::Request::register_region);
    request.size = memory_.size();
    request.address = base_;
    request.rights = terms.access;
    request.part = part;
    request.parts = memory_.parts();
    Attachment& adapter = partition_->adapter();
    return adapter.transact([&](control::Channel& channel) -> Result<Took> {
        if (part == 0)
            epoch = adapter.now().epoch();
        if (epoch != adapter.now().epoch())
            return Took::nothing;
        CW_TRY_ASSIGN(const auto reply,
                      channel.call<abi::RegisterReply>(request, memory_.file(part)));
        if (part + 1 != request.parts)
            return Took::part;
        if (reply.handle == 0) {
            return fail(ErrorCode::protocol, "the adapter registered a region, but gave no handle");
        }
        registered_ = reply;
        HeldRegion held{.handle = reply.handle, .generation = reply.generation, .parts = {}};
        for (std::uint32_t i = 0; i < request.parts; ++i)
            held.parts.push_back(memory_.file(i));
        adapter.keep(std::move(held));
        return Took::part;
    });
}

Region::Region(Region&& other) noexcept
    : partition_(std::move(other.partition_)),
      memory_(std::move(other.memory_)),
      base_(other.base_),
      exportable_(other.exportable_),
      registered_(std::exchange(other.registered_, {})) {}

Region::~Region() {
    if (partition_ == nullptr)
        return;  // moved from
    if (!partition_->here()) {
        memory_.abandon();
        return;
    }
    (void)close();
}

Result<bool> Region::deregister() {
    const auto registered = std::exchange(registered_, {});
    if (registered.handle == 0)
        return false;
    bool granted = exportable_;
    partition_->regions().remove(registered.handle);
    CAUSEWAY_FAULT_POINT("client.deregister.forgotten");
    auto request = control::make<abi::RegionRequest>(abi::Request::deregister_region);
    request.handle = registered.handle;
    request.generation = registered.generation;
    CW_TRY(partition_->adapter().give_back(
        Kind::region, registered.handle, [&](control::Channel& channel) -> Result<void> {
            CW_TRY_ASSIGN(const auto reply, channel.call<abi::DeregisterReply>(request));
            granted = reply.granted != 0;
            return {};
        }));
    return granted;
}

Result<bool> Region::narrow(std::uint32_t access) {
    auto request = control::make<abi::NarrowRegionRequest>(abi::Request::narrow_region);
    request.handle = registered_.handle;
    request.generation = registered_.generation;
    request.rights = access;
    CW_TRY_ASSIGN(const auto reply, partition_->call<abi::DeregisterReply>(request));
    partition_->regions().narrow(registered_.handle, access);
    return reply.granted != 0;
}

Result<std::uint64_t> Region::append_offset() const {
    auto request = control::make<abi::RegionRequest>(abi::Request::region_status);
    request.handle = registered_.handle;
    request.generation = registered_.generation;
    CW_TRY_ASSIGN(const auto reply, partition_->call<abi::RegionStatusReply>(request));
    return reply.append_offset;
}

}  // namespace causeway::client
