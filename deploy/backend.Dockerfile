# The reference backend: the repository as it is, its dependencies exactly those of the lock file. TypeScript is run by Node itself.
FROM node:24.21.0-bookworm-slim

ENV NODE_ENV=development
WORKDIR /app

# Scripts of packages are not run: none is needed, and the package `node` would fetch another Node.js.
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund && npm cache clean --force

COPY src ./src
COPY scratchpad ./scratchpad
COPY deploy/make-bucket.ts deploy/traffic.ts ./deploy/

# Where spans wait on disk; a volume that is mounted there gets the same owner.
RUN mkdir -p /var/lib/backend && chown node:node /var/lib/backend

USER node
EXPOSE 3000
CMD ["node", "--conditions=source", "scratchpad/app/main.ts"]
