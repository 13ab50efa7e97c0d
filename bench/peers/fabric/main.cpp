// libfabric's shm provider: messages into posted receives, over a reliable datagram endpoint.
#include <fmt/format.h>
#include <rdma/fabric.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_errno.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <new>
#include <vector>

#include "peer/peer.hpp"
#include "perf/endpoint.hpp"
#include "platform/clock.hpp"

namespace causeway::bench {
namespace {

using namespace perf;

constexpr unsigned kTriesPerLook = 1 << 18;
constexpr std::size_t kPageBytes = 4096;

tl::unexpected<Error> fail_fabric(const char* what, long code) {
    return fail(ErrorCode::system,
                fmt::format("libfabric: {}: {}", what, fi_strerror(static_cast<int>(-code))));
}

struct FreeInfo {
    void operator()(fi_info* info) const { fi_freeinfo(info); }
};
struct CloseFid {
    template<typename T>
    void operator()(T* object) const {
        fi_close(&object->fid);
    }
};
template<typename T>
using Owned = std::unique_ptr<T, CloseFid>;

struct Address {
    std::uint64_t size;
    std::array<char, 504> bytes;
};

class FabricEndpoint final : public Endpoint {
public:
    explicit FabricEndpoint(const Plan& plan)
        : plan_(plan),
          stride_((plan.size + kPageBytes - 1) / kPageBytes * kPageBytes),
          outgoing_(make_memory()),
          incoming_(make_memory()) {
        arrivals_.resize(plan.buffers);
    }

    Result<void> open(SideChannel& side) {
        CW_TRY(make_objects());
        CW_TRY(connect(side));
        for (std::uint32_t slot = 0; slot < plan_.buffers; ++slot)
            CW_TRY(post(slot));
        return {};
    }

    std::span<std::byte> buffer(std::uint32_t slot) override {
        return {outgoing_.get() + slot * stride_, plan_.size};
    }
    Result<void> submit(std::uint32_t slot) override {
        if (on_their_way_ >= plan_.outstanding)
            CW_TRY(until([&] { return on_their_way_ < plan_.outstanding; }));
        const std::byte* const from = outgoing_.get() + slot * stride_;
        const bool small = plan_.size <= info_->tx_attr->inject_size;
        ssize_t code = 0;
        CW_TRY(until([&] {
            code = small ? fi_inject(endpoint_.get(), from, plan_.size, peer_)
                         : fi_send(endpoint_.get(), from, plan_.size, nullptr, peer_, nullptr);
            return code != -FI_EAGAIN;
        }));
        if (code != 0)
            return fail_fabric("fi_send", code);
        on_their_way_ += small ? 0 : 1;
        return {};
    }
    Result<void> flush() override {
        return until([&] { return on_their_way_ == 0; });
    }
    Result<void> complete() override { return flush(); }

    Result<std::span<std::byte>> receive() override {
        if (arrived_ == taken_)
            CW_TRY(until([&] { return arrived_ != taken_; }));
        received_ = arrivals_[taken_++ % arrivals_.size()];
        return std::span(incoming_.get() + received_ * stride_, plan_.size);
    }
    Result<void> release() override { return post(received_); }
    std::string executor() const override { return "libfabric"; }

private:
    struct Free {
        void operator()(std::byte* memory) const { std::free(memory); }
    };
    using Memory = std::unique_ptr<std::byte[], Free>;

    [[nodiscard]] Memory make_memory() const {
        const std::size_t size = stride_ * plan_.buffers;
        auto* const memory = static_cast<std::byte*>(std::aligned_alloc(kPageBytes, size));
        if (memory == nullptr)
            throw std::bad_alloc();
        std::memset(memory, 0, size);
        return Memory(memory);
    }

    [[nodiscard]] Result<void> make_objects();
    [[nodiscard]] Result<void> connect(SideChannel& side);

    [[nodiscard]] Result<void> post(std::uint32_t slot) {
        const ssize_t code =
            fi_recv(endpoint_.get(), incoming_.get() + slot * stride_, plan_.size, nullptr,
                    FI_ADDR_UNSPEC, reinterpret_cast<void*>(std::uintptr_t{slot}));
        return code == 0 ? Result<void>() : fail_fabric("fi_recv", code);
    }

    // Reads completions, which also makes the provider move.
    [[nodiscard]] Result<void> progress() {
        std::array<fi_cq_entry, 16> entries;
        const ssize_t sent = fi_cq_read(sends_.get(), entries.data(), entries.size());
        if (sent > 0)
            on_their_way_ -= static_cast<std::uint32_t>(sent);
        else if (sent != -FI_EAGAIN)
            return fail_fabric("a send", sent);
        const ssize_t came = fi_cq_read(receives_.get(), entries.data(), entries.size());
        if (came < 0 && came != -FI_EAGAIN)
            return fail_fabric("a receive", came);
        for (ssize_t i = 0; i < came; ++i)
            arrivals_[arrived_++ % arrivals_.size()] = static_cast<std::uint32_t>(
                reinterpret_cast<std::uintptr_t>(entries[static_cast<std::size_t>(i)].op_context));
        return {};
    }
    template<typename F>
    [[nodiscard]] Result<void> until(F&& ready) {
        std::uint64_t since = 0;
        for (unsigned tries = 1; !ready(); ++tries) {
            CW_TRY(progress());
            if (tries % kTriesPerLook != 0)
                continue;
            const std::uint64_t now = platform::monotonic_ns();
            since = since == 0 ? now : since;
            if (now - since >
                static_cast<std::uint64_t>(std::chrono::nanoseconds(kPatience).count()))
                return fail(ErrorCode::timed_out, "libfabric: nothing moves any more");
        }
        return {};
    }

    const Plan& plan_;
    const std::size_t stride_;
    Memory outgoing_;
    Memory incoming_;
    std::unique_ptr<fi_info, FreeInfo> info_;
    Owned<fid_fabric> fabric_;
    Owned<fid_domain> domain_;
    Owned<fid_av> addresses_;
    Owned<fid_cq> sends_;
    Owned<fid_cq> receives_;
    Owned<fid_ep> endpoint_;
    fi_addr_t peer_ = FI_ADDR_UNSPEC;
    std::uint32_t on_their_way_ = 0;
    std::vector<std::uint32_t> arrivals_;  // slots, a ring
    std::uint64_t arrived_ = 0;
    std::uint64_t taken_ = 0;
    std::uint32_t received_ = 0;
};

Result<void> FabricEndpoint::make_objects() {
    const std::unique_ptr<fi_info, FreeInfo> hints(fi_allocinfo());
    hints->caps = FI_MSG;
    hints->ep_attr->type = FI_EP_RDM;
    hints->domain_attr->threading = FI_THREAD_DOMAIN;
    hints->fabric_attr->prov_name = ::strdup("shm");
    fi_info* found = nullptr;
    if (const int code = fi_getinfo(FI_VERSION(1, 15), nullptr, nullptr, 0, hints.get(), &found);
        code != 0)
        return fail_fabric("fi_getinfo for provider shm", code);
    info_.reset(found);

    const auto made = [](auto& into, auto&& make, const char* what) -> Result<void> {
        typename std::remove_reference_t<decltype(into)>::pointer object = nullptr;
        if (const int code = make(&object); code != 0)
            return fail_fabric(what, code);
        into.reset(object);
        return {};
    };
    fi_cq_attr queue{};
    queue.format = FI_CQ_FORMAT_CONTEXT;
    queue.wait_obj = FI_WAIT_NONE;
    queue.size = std::max<std::size_t>(2 * plan_.buffers, 1024);
    fi_av_attr table{};
    table.type = FI_AV_TABLE;
    CW_TRY(made(
        fabric_, [&](auto** object) { return fi_fabric(info_->fabric_attr, object, nullptr); },
        "fi_fabric"));
    CW_TRY(made(
        domain_,
        [&](auto** object) { return fi_domain(fabric_.get(), info_.get(), object, nullptr); },
        "fi_domain"));
    CW_TRY(made(
        addresses_,
        [&](auto** object) { return fi_av_open(domain_.get(), &table, object, nullptr); },
        "fi_av_open"));
    for (Owned<fid_cq>* const each : {&sends_, &receives_})
        CW_TRY(made(
            *each,
            [&](auto** object) { return fi_cq_open(domain_.get(), &queue, object, nullptr); },
            "fi_cq_open"));
    CW_TRY(made(
        endpoint_,
        [&](auto** object) { return fi_endpoint(domain_.get(), info_.get(), object, nullptr); },
        "fi_endpoint"));
    const std::pair<fid*, std::uint64_t> bound[] = {
        {&addresses_->fid, 0}, {&sends_->fid, FI_TRANSMIT}, {&receives_->fid, FI_RECV}};
    for (const auto& [object, flags] : bound) {
        if (const int code = fi_ep_bind(endpoint_.get(), object, flags); code != 0)
            return fail_fabric("fi_ep_bind", code);
    }
    if (const int code = fi_enable(endpoint_.get()); code != 0)
        return fail_fabric("fi_enable", code);
    return {};
}

Result<void> FabricEndpoint::connect(SideChannel& side) {
    Address address{};
    std::size_t size = address.bytes.size();
    if (const int code = fi_getname(&endpoint_->fid, address.bytes.data(), &size); code != 0)
        return fail_fabric("fi_getname", code);
    address.size = size;
    CW_TRY(side.put(address));
    CW_TRY_ASSIGN(address, side.get<Address>());
    const int count = fi_av_insert(addresses_.get(), address.bytes.data(), 1, &peer_, 0, nullptr);
    if (count != 1)
        return fail(ErrorCode::system, "libfabric: fi_av_insert refused the peer's address");
    return {};
}

Result<std::unique_ptr<Endpoint>> make_shm(const Plan& plan, Role, SideChannel& side) {
    if (plan.wait == Wait::block)
        return fail(ErrorCode::unsupported, "the shm provider waits by spinning only");
    auto endpoint = std::make_unique<FabricEndpoint>(plan);
    CW_TRY(endpoint->open(side));
    return endpoint;
}

}  // namespace
}  // namespace causeway::bench

int main(int argc, char** argv) {
    using namespace causeway::bench;
    return run_peer(
        argc, argv,
        {.name = "bench_peer_fabric",
         .what = "libfabric's shm provider between two processes",
         .variants = {{"shm", "messages over a reliable datagram endpoint", make_shm}}});
}
