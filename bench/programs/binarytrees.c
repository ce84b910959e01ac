/* Memory allocation: binary trees are built with malloc, walked and freed. */
#include "bench.h"

struct tree {
    struct tree *left, *right;
};

static struct tree *build(int depth)
{
    struct tree *tree = malloc(sizeof *tree);
    if (!tree)
        exit(3);
    tree->left = depth > 0 ? build(depth - 1) : NULL;
    tree->right = depth > 0 ? build(depth - 1) : NULL;
    return tree;
}

static uint32_t count(const struct tree *tree)
{
    return tree ? 1 + count(tree->left) + count(tree->right) : 0;
}

static void destroy(struct tree *tree)
{
    if (!tree)
        return;
    destroy(tree->left);
    destroy(tree->right);
    free(tree);
}

int main(int argc, char **argv)
{
    struct tree *long_lived = build(14);
    uint64_t checksum = 0;
    for (uint32_t n = work_size(argc, argv); n > 0; n--)
        for (int depth = 4; depth <= 12; depth += 4) {
            struct tree *tree = build(depth);
            checksum = mix(checksum, count(tree));
            destroy(tree);
        }
    checksum = mix(checksum, count(long_lived));
    destroy(long_lived);
    return finish(checksum);
}
