#include "worker.hpp"

#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "platform/clock.hpp"

namespace causeway::bench {
namespace {

using platform::monotonic_ns;

constexpr std::uint64_t kCloseLimit = 1'000'000'000;  // ns

struct Address {
    std::uint32_t size;
    std::array<std::byte, 2044> bytes;
};

}  // namespace

tl::unexpected<Error> fail_ucs(const char* what, ucs_status_t status) {
    return fail(ErrorCode::system, fmt::format("UCX: {}: {}", what, ucs_status_string(status)));
}

Result<std::unique_ptr<Worker>> Worker::make(const perf::Plan& plan, std::uint64_t features,
                                             perf::SideChannel& side) {
    auto worker = std::unique_ptr<Worker>(new Worker);
    worker->sleeps_ = plan.wait == Wait::block;
    ucp_config_t* config = nullptr;
    if (const auto status = ucp_config_read(nullptr, nullptr, &config); status != UCS_OK)
        return fail_ucs("ucp_config_read", status);
    ucp_params_t params{};
    params.field_mask = UCP_PARAM_FIELD_FEATURES;
    params.features = features;
    if (worker->sleeps_)
        params.features |= UCP_FEATURE_WAKEUP;
    const auto initialised = ucp_init(&params, config, &worker->context_);
    ucp_config_release(config);
    if (initialised != UCS_OK)
        return fail_ucs("ucp_init", initialised);
    ucp_worker_params_t worker_params{};
    worker_params.field_mask = UCP_WORKER_PARAM_FIELD_THREAD_MODE;
    worker_params.thread_mode = UCS_THREAD_MODE_SINGLE;
    if (const auto status = ucp_worker_create(worker->context_, &worker_params, &worker->worker_);
        status != UCS_OK)
        return fail_ucs("ucp_worker_create", status);
    CW_TRY(worker->connect(side));
    return worker;
}

Result<void> Worker::connect(perf::SideChannel& side) {
    ucp_address_t* own = nullptr;
    std::size_t size = 0;
    if (const auto status = ucp_worker_get_address(worker_, &own, &size); status != UCS_OK)
        return fail_ucs("ucp_worker_get_address", status);
    Address address{static_cast<std::uint32_t>(size), {}};
    const bool fits = size <= address.bytes.size();
    if (fits)
        std::memcpy(address.bytes.data(), own, size);
    ucp_worker_release_address(worker_, own);
    if (!fits)
        return fail(ErrorCode::limit_reached, "UCX: the worker's address is too long");
    CW_TRY(side.put(address));
    CW_TRY_ASSIGN(address, side.get<Address>());
    ucp_ep_params_t params{};
    params.field_mask = UCP_EP_PARAM_FIELD_REMOTE_ADDRESS;
    params.address = reinterpret_cast<const ucp_address_t*>(address.bytes.data());
    if (const auto status = ucp_ep_create(worker_, &params, &peer_); status != UCS_OK)
        return fail_ucs("ucp_ep_create", status);
    return {};
}

Worker::~Worker() {
    if (peer_ != nullptr) {
        // Forced: the other end may be gone already.
        ucp_request_param_t param{};
        param.op_attr_mask = UCP_OP_ATTR_FIELD_FLAGS;
        param.flags = UCP_EP_CLOSE_FLAG_FORCE;
        void* const request = ucp_ep_close_nbx(peer_, &param);
        if (UCS_PTR_IS_PTR(request)) {
            const std::uint64_t deadline = monotonic_ns() + kCloseLimit;
            while (ucp_request_check_status(request) == UCS_INPROGRESS && monotonic_ns() < deadline)
                ucp_worker_progress(worker_);
            ucp_request_free(request);
        }
    }
    if (worker_ != nullptr)
        ucp_worker_destroy(worker_);
    if (context_ != nullptr)
        ucp_cleanup(context_);
}

// Until something comes.
Result<void> Worker::sleep() {
    const ucs_status_t status = ucp_worker_wait(worker_);
    return status == UCS_OK ? Result<void>() : fail_ucs("ucp_worker_wait", status);
}

Result<void> Worker::look_at_clock(std::uint64_t& since) {
    const std::uint64_t now = monotonic_ns();
    since = since == 0 ? now : since;
    if (now - since < static_cast<std::uint64_t>(std::chrono::nanoseconds(perf::kPatience).count()))
        return {};
    return fail(ErrorCode::timed_out, "UCX: nothing moves any more");
}

Result<void> Worker::finish(void* request, const char* what) {
    if (request == nullptr)
        return {};
    if (UCS_PTR_IS_ERR(request))
        return fail_ucs(what, UCS_PTR_STATUS(request));
    CW_TRY(until([&] { return ucp_request_check_status(request) != UCS_INPROGRESS; }));
    const ucs_status_t status = ucp_request_check_status(request);
    ucp_request_free(request);
    return status == UCS_OK ? Result<void>() : fail_ucs(what, status);
}

Result<UcxMemory> UcxMemory::make(Worker& worker, std::size_t size) {
    UcxMemory memory;
    memory.context_ = worker.context();
    ucp_mem_map_params_t params{};
    params.field_mask = UCP_MEM_MAP_PARAM_FIELD_LENGTH | UCP_MEM_MAP_PARAM_FIELD_FLAGS;
    params.length = size;
    params.flags = UCP_MEM_MAP_ALLOCATE;
    if (const auto status = ucp_mem_map(memory.context_, &params, &memory.handle_);
        status != UCS_OK)
        return fail_ucs("ucp_mem_map", status);
    ucp_mem_attr_t attributes{};
    attributes.field_mask = UCP_MEM_ATTR_FIELD_ADDRESS;
    if (const auto status = ucp_mem_query(memory.handle_, &attributes); status != UCS_OK)
        return fail_ucs("ucp_mem_query", status);
    memory.data_ = static_cast<std::byte*>(attributes.address);
    std::memset(memory.data_, 0, size);
    return memory;
}

UcxMemory::UcxMemory(UcxMemory&& other) noexcept
    : context_(other.context_),
      handle_(std::exchange(other.handle_, nullptr)),
      data_(other.data_) {}

UcxMemory& UcxMemory::operator=(UcxMemory&& other) noexcept {
    std::swap(context_, other.context_);
    std::swap(handle_, other.handle_);
    std::swap(data_, other.data_);
    return *this;
}

UcxMemory::~UcxMemory() {
    if (handle_ != nullptr)
        ucp_mem_unmap(context_, handle_);
}

std::size_t stride_of(const perf::Plan& plan) {
    const std::size_t unit = plan.size >= 4096 ? 4096 : 64;
    return (plan.size + unit - 1) / unit * unit;
}

}  // namespace causeway::bench
