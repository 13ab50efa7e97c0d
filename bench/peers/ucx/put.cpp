// One-sided puts: the message into the receiver's memory, then its number into a line there. The
// receiver looks at that line, and puts back how many it is done with.
#include <atomic>
#include <cstring>

#include "worker.hpp"

namespace causeway::bench {
namespace {

using namespace perf;

constexpr std::size_t kLine = 64;
constexpr std::size_t kPageBytes = 4096;

// What a process lets the other write: a line that says how many of its own messages the other is
// done with, a line with the number of each message that came, and the messages.
struct Layout {
    explicit Layout(const Plan& plan)
        : numbers(2 * kLine),
          data((numbers + plan.buffers * kLine + kPageBytes - 1) / kPageBytes * kPageBytes),
          stride(stride_of(plan)),
          size(data + plan.buffers * stride) {}
    std::size_t numbers;
    std::size_t data;
    std::size_t stride;
    std::size_t size;
};

struct RemoteMemory {
    std::uint64_t address;
    std::uint32_t key_size;
    std::array<std::byte, 1012> key;
};

class PutEndpoint final : public Endpoint {
public:
    PutEndpoint(const Plan& plan, std::unique_ptr<Worker> worker)
        : plan_(plan),
          layout_(plan),
          release_every_(std::max(1U, plan.buffers / 4)),
          worker_(std::move(worker)) {}
    ~PutEndpoint() override {
        if (key_ != nullptr)
            ucp_rkey_destroy(key_);
    }

    Result<void> open(SideChannel& side) {
        CW_TRY_ASSIGN(outgoing_, UcxMemory::make(*worker_, layout_.stride * plan_.buffers));
        CW_TRY_ASSIGN(incoming_, UcxMemory::make(*worker_, layout_.size));
        CW_TRY_ASSIGN(small_, UcxMemory::make(*worker_, kPageBytes));
        void* packed = nullptr;
        std::size_t size = 0;
        if (const auto status =
                ucp_rkey_pack(worker_->context(), incoming_.handle(), &packed, &size);
            status != UCS_OK)
            return fail_ucs("ucp_rkey_pack", status);
        RemoteMemory memory{reinterpret_cast<std::uint64_t>(incoming_.data()),
                            static_cast<std::uint32_t>(size),
                            {}};
        const bool fits = size <= memory.key.size();
        if (fits)
            std::memcpy(memory.key.data(), packed, size);
        ucp_rkey_buffer_release(packed);
        if (!fits)
            return fail(ErrorCode::limit_reached, "UCX: the remote key is too long");
        CW_TRY(side.put(memory));
        CW_TRY_ASSIGN(memory, side.get<RemoteMemory>());
        remote_ = memory.address;
        if (const auto status = ucp_ep_rkey_unpack(worker_->peer(), memory.key.data(), &key_);
            status != UCS_OK)
            return fail_ucs("ucp_ep_rkey_unpack", status);
        return {};
    }

    std::span<std::byte> buffer(std::uint32_t slot) override {
        return {outgoing_.data() + slot * layout_.stride, plan_.size};
    }
    Result<void> submit(std::uint32_t slot) override {
        if (sent_ - room_known_ >= plan_.buffers)
            CW_TRY(worker_->until([&] {
                room_known_ = load(0);
                return sent_ - room_known_ < plan_.buffers;
            }));
        const std::uint32_t to = send_slot_;
        send_slot_ = to + 1 == plan_.buffers ? 0 : to + 1;
        CW_TRY(put(outgoing_.data() + slot * layout_.stride, plan_.size,
                   layout_.data + to * layout_.stride));
        if (const auto status = ucp_worker_fence(worker_->get()); status != UCS_OK)
            return fail_ucs("ucp_worker_fence", status);
        return put_number(++sent_, layout_.numbers + to * kLine);
    }
    Result<void> complete() override { return flush(); }
    Result<void> flush() override {
        const ucp_request_param_t param{};
        return worker_->finish(ucp_worker_flush_nbx(worker_->get(), &param), "flush");
    }

    Result<std::span<std::byte>> receive() override {
        const std::size_t line = layout_.numbers + receive_slot_ * kLine;
        const std::uint64_t wanted = received_ + 1;
        if (load(line) != wanted)
            CW_TRY(worker_->until([&] { return load(line) == wanted; }));
        ++received_;
        std::byte* const at = incoming_.data() + layout_.data + receive_slot_ * layout_.stride;
        receive_slot_ = receive_slot_ + 1 == plan_.buffers ? 0 : receive_slot_ + 1;
        return std::span(at, plan_.size);
    }
    Result<void> release() override {
        if (received_ - released_ < release_every_)
            return {};
        released_ = received_;
        return put_number(released_, 0);
    }
    std::string executor() const override { return "ucx"; }

private:
    // SYNC(ucx_put): what the other end put before its ucp_worker_fence is there once the number
    // that it put behind is.
    [[nodiscard]] std::uint64_t load(std::size_t offset) const {
        return std::atomic_ref(*reinterpret_cast<std::uint64_t*>(incoming_.data() + offset))
            .load(std::memory_order_acquire);
    }
    [[nodiscard]] Result<void> put(const std::byte* from, std::size_t size, std::size_t to) {
        const ucp_request_param_t param{};
        void* const request = ucp_put_nbx(worker_->peer(), from, size, remote_ + to, key_, &param);
        return request == nullptr ? Result<void>() : worker_->finish(request, "put");
    }
    [[nodiscard]] Result<void> put_number(std::uint64_t number, std::size_t to) {
        std::memcpy(small_.data(), &number, sizeof number);
        return put(small_.data(), sizeof number, to);
    }

    const Plan& plan_;
    const Layout layout_;
    const std::uint64_t release_every_;
    std::unique_ptr<Worker> worker_;
    UcxMemory outgoing_;
    UcxMemory incoming_;
    UcxMemory small_;  // a number on its way
    ucp_rkey_h key_ = nullptr;
    std::uint64_t remote_ = 0;
    std::uint64_t sent_ = 0;
    std::uint64_t room_known_ = 0;  // of sent_, as far as the other end is done with them
    std::uint64_t received_ = 0;
    std::uint64_t released_ = 0;
    std::uint32_t send_slot_ = 0;
    std::uint32_t receive_slot_ = 0;
};

}  // namespace

Result<std::unique_ptr<Endpoint>> make_put(const Plan& plan, Role, SideChannel& side) {
    if (plan.wait == Wait::block)
        return fail(ErrorCode::unsupported, "nobody is woken by a put");
    CW_TRY_ASSIGN(auto worker, Worker::make(plan, UCP_FEATURE_RMA, side));
    auto endpoint = std::make_unique<PutEndpoint>(plan, std::move(worker));
    CW_TRY(endpoint->open(side));
    return endpoint;
}

}  // namespace causeway::bench
