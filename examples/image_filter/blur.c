/* A filter for images: the mean of the 3 x 3 pixels around each, for bytes. */
static unsigned char image[1 << 22], result[1 << 22];

#define EXPORT(name) __attribute__((export_name(#name)))

EXPORT(room) int room(void) { return sizeof image; }
EXPORT(input) unsigned char *input(void) { return image; }

EXPORT(blur) unsigned char *blur(int height, int width)
{
    for (int y = 1; y < height - 1; y++)
        for (int x = 1; x < width - 1; x++) {
            int sum = 0;
            for (int dy = -1; dy <= 1; dy++)
                for (int dx = -1; dx <= 1; dx++)
                    sum += image[(y + dy) * width + x + dx];
            result[y * width + x] = sum / 9;
        }
    return result;
}
