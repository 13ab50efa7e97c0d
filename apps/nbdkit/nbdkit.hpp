// nbdkit's header, as this plugin wants it.
#pragma once

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>
