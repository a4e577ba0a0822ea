#pragma once

extern int launches;  // since the program began
