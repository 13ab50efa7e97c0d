#include "client/secret.hpp"

#include <algorithm>
#include <cstdlib>

#include "platform/files.hpp"

namespace causeway::client {

Result<void> bring_secret(abi::AttachRequest& request) {
    const char* const path = std::getenv("CAUSEWAY_TOKEN_FILE");  // NOLINT(concurrency-mt-unsafe)
    if (path == nullptr || *path == '\0')
        return {};
    auto secret = platform::read_settings_file(path, sizeof request.secret + 2);
    if (!secret)
        return fail_within("CAUSEWAY_TOKEN_FILE", secret.error());
    while (!secret->empty() && (secret->back() == '\n' || secret->back() == '\r'))
        secret->pop_back();
    if (secret->empty() || secret->size() > sizeof request.secret) {
        return fail_format(ErrorCode::invalid_argument,
                           "CAUSEWAY_TOKEN_FILE: %s holds %zu bytes: put 1 to %zu into it", path,
                           secret->size(), sizeof request.secret);
    }
    std::copy(secret->begin(), secret->end(), request.secret);
    return {};
}

}  // namespace causeway::client
