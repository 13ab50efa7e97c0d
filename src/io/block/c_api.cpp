// The C ABI: disks.
#include "client/c_api.hpp"

#include <causeway/block.h>

#include "io/block/disk.hpp"

using namespace causeway;             // NOLINT(google-build-using-namespace)
using namespace causeway::io::block;  // NOLINT(google-build-using-namespace)
using client::capi::code;
using client::capi::forked;
using client::capi::guarded;
using client::capi::missing;

struct cw_disk {
    std::unique_ptr<Disk> shared;
};

namespace {

constexpr std::size_t kLeastOptions = sizeof(cw_disk_options);

[[nodiscard]] Result<DiskTerms> terms_of(const cw_disk_options* options) {
    DiskTerms terms;
    if (options == nullptr)
        return terms;
    CW_TRY_ASSIGN(const cw_disk_options whole,
                  client::capi::whole_options("cw_disk_options", *options, kLeastOptions));
    CW_TRY(client::capi::check_wait("cw_disk_options.wait", whole.wait));
    CW_TRY_ASSIGN(terms.executor, client::capi::executor_named(whole.executor));
    const auto access = static_cast<std::uint32_t>(whole.access);
    if (access > CW_DISK_MOST || whole.depth > kMostDepth) {
        return fail_format(ErrorCode::invalid_argument,
                           "access %u with a depth of %u: cw_disk_options takes one of "
                           "cw_disk_access, and a depth of at most %u",
                           access, whole.depth, kMostDepth);
    }
    if (access != 0)
        terms.access = whole.access;
    if (whole.depth != 0)
        terms.depth = whole.depth;
    if (whole.timeout_ns != 0)
        terms.timeout_ns = whole.timeout_ns;
    terms.wait = whole.wait;
    return terms;
}

[[nodiscard]] int check_use(const cw_disk* disk, const void* place) noexcept {
    if (disk == nullptr)
        return missing("no disk given (NULL)");
    if (!disk->shared->here())
        return forked();
    if (place == nullptr)
        return missing("no place for the result, or no request, given (NULL)");
    return CW_OK;
}

}  // namespace

int cw_disk_open(cw_partition* partition, const char* target, const cw_disk_options* options,
                 uint64_t timeout_ns, cw_disk** out) {
    if (partition == nullptr || target == nullptr || out == nullptr)
        return missing("no partition, name or place for the result given (NULL)");
    if (!partition->shared->here())
        return forked();
    return client::capi::make(out, [&]() -> Result<std::unique_ptr<Disk>> {
        CW_TRY_ASSIGN(const DiskTerms terms, terms_of(options));
        return Disk::open(partition->shared, target, terms, timeout_ns);
    });
}

void cw_disk_close(cw_disk* disk) { delete disk; }

int cw_disk_info_of(const cw_disk* disk, cw_disk_info* out) {
    if (const int error = check_use(disk, out); error != CW_OK)
        return error;
    *out = disk->shared->info();
    return CW_OK;
}

const char* cw_disk_trouble(const cw_disk* disk) {
    return check_use(disk, disk) == CW_OK ? disk->shared->trouble() : "";
}

int cw_disk_submit(cw_disk* disk, const cw_disk_request* request) {
    if (const int error = check_use(disk, request); error != CW_OK)
        return error;
    return guarded([&] { return disk->shared->submit(*request); });
}

int cw_disk_poll(cw_disk* disk, cw_disk_result* out, int most, uint64_t timeout_ns) {
    if (const int error = check_use(disk, out); error != CW_OK)
        return -error;
    if (most <= 0)
        return -missing("no room for a result (most is 0)");
    int taken = 0;
    const int error = guarded([&]() -> Result<void> {
        CW_TRY_ASSIGN(taken, disk->shared->poll(out, most, timeout_ns));
        return {};
    });
    return error == CW_OK ? taken : -error;
}

int cw_disk_fd(cw_disk* disk) {
    const int error = check_use(disk, disk);
    return error != CW_OK ? -error : disk->shared->fd();
}

int cw_disk_call(cw_disk* disk, const cw_disk_request* request, cw_disk_result* out) {
    if (const int error = check_use(disk, request != nullptr ? out : nullptr); error != CW_OK)
        return error;
    return guarded([&] { return disk->shared->call(*request, *out); });
}
